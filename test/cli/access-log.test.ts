import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONGEST_LINE, parseLogLine, parseLogTime, RequestLog, readLines } from '../support/internals.js';

const time = '17/May/2015:10:05:03 +0000';
const at = Date.UTC(2015, 4, 17, 10, 5, 3) / 1000;
const common = `10.0.0.1 - - [${time}] "GET / HTTP/1.1" 200 12`;

describe('a line of a log', () => {
  it('is taken apart in common format, and has no user agent there', () => {
    expect(parseLogLine(common)).toEqual({ at, address: '10.0.0.1', agent: '-' });
  });

  it('is taken apart in combined format', () => {
    expect(parseLogLine(`${common} "http://a.example/" "Mozilla/5.0 (X11)"`)).toEqual({
      at,
      address: '10.0.0.1',
      agent: 'Mozilla/5.0 (X11)',
    });
  });

  it.each([
    ['an IPv6 address', `2001:db8::1 - - [${time}] "GET / HTTP/1.1" 200 12`, '2001:db8::1', '-'],
    ['a virtual host before it', `a.example:443 ${common} "-" "agent"`, '10.0.0.1', 'agent'],
    ['a virtual host without a port', `a.example ${common} "-" "agent"`, '10.0.0.1', 'agent'],
    ['a virtual host that is an address', `[2001:db8::1]:80 ::1 - - [${time}] "GET / HTTP/1.1" 200 12`, '::1', '-'],
    ['a client’s name after its virtual host', `a:80 c.example - ada [${time}] "-" - -`, 'c.example', '-'],
    ['a user with a blank after an address', `::80 - ada lovelace [${time}] "-" - -`, '::80', '-'],
    ['an identity and a user with a blank', `h id ada lovelace [${time}] "-" - -`, 'h', '-'],
    ['a host name', `a-b.example - ada [${time}] "GET / HTTP/1.1" 200 12`, 'a-b.example', '-'],
    ['a user with blanks and brackets', `h - ada [x] love "l" [${time}] "GET / HTTP/1.1" 200 12`, 'h', '-'],
    ['no request, status or bytes', `h - - [${time}] "-" - -`, 'h', '-'],
    ['an empty request', `h - - [${time}] "" 408 -`, 'h', '-'],
    ['an escaped quote in the agent', `${common} "-" "a \\"b\\" c"`, '10.0.0.1', 'a \\"b\\" c'],
    ['an escaped backslash before the end', `${common} "-" "a\\\\"`, '10.0.0.1', 'a\\\\'],
    ['an escaped quote in the referer', `${common} "x\\" \\"y" "agent"`, '10.0.0.1', 'agent'],
    [
      'an agent that looks like the end of a line',
      `${common} "-" "x\\" 200 1 \\"-\\" \\"y"`,
      '10.0.0.1',
      'x\\" 200 1 \\"-\\" \\"y',
    ],
    ['a request with bare quotes', `h - - [${time}] "GET /?q="a" HTTP/1.1" 200 1 "-" "agent"`, 'h', 'agent'],
    [
      'a request that holds a forged end',
      `h - - [${time}] "GET /\\" 200 1 \\"-\\" \\"x" 404 1 "-" "agent"`,
      'h',
      'agent',
    ],
    ['fields after the agent', `${common} "-" "agent" 0.003 "-"`, '10.0.0.1', 'agent'],
    ['an empty agent', `${common} "-" ""`, '10.0.0.1', ''],
    ['a NUL byte in the agent', `${common} "-" "a\0b"`, '10.0.0.1', 'a\0b'],
    ['blanks at the end', `${common}  `, '10.0.0.1', '-'],
  ])('may have %s', (_what, line, address, agent) => {
    expect(parseLogLine(line)).toEqual({ at, address, agent });
  });

  it.each([
    ['nothing', ''],
    ['blanks', '   '],
    ['prose', 'The quick brown fox jumps over the lazy dog'],
    ['NUL bytes before it', `\0\0\0${common}`],
    ['no address', ` - - [${time}] "GET / HTTP/1.1" 200 12`],
    ['no identity', `h [${time}] "GET / HTTP/1.1" 200 12`],
    ['no time', 'h - - [] "GET / HTTP/1.1" 200 12'],
    ['no status', `h - - [${time}] "GET / HTTP/1.1"`],
    ['a status that is none', `h - - [${time}] "GET / HTTP/1.1" 20 12`],
    ['more than the common format', `${common} 0.003`],
    ['a referer and no agent', `${common} "-"`],
    ['a cut in the request', `h - - [${time}] "GET / HT`],
    ['a cut in the referer', `${common} "http://a.ex`],
    ['a cut in the agent', `${common} "-" "Mozilla/5.0 (X1`],
    ['a cut after an escape', `${common} "-" "Mozilla\\"`],
  ])('is none with %s', (_what, line) => {
    expect(parseLogLine(line)).toBeUndefined();
  });

  it('is taken apart in time that grows with its length: one of the square of it would not end here', () => {
    for (const piece of [' [', '"', '\\"', '\\', '" 200 1', ` [${time}] "`, '" "', '1', '\0'])
      parseLogLine(`h - - [${time}] "${piece.repeat(200_000)}`);
  });

  it('never makes the parser throw', () => {
    const pieces = fc.constantFrom('h', ' ', '-', '[', ']', time, '"', '\\', '200', '12', '\0', 'ä', common, '"-" "x"');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const request = parseLogLine(parts.join(''));
        if (request !== undefined) expect(Number.isSafeInteger(request.at)).toBe(true);
      }),
    );
  });
});

describe('the time of a log', () => {
  it('is an instant, whatever zone it is written in', () => {
    expect(parseLogTime('17/May/2015:10:05:03 +0000')).toBe(at);
    expect(parseLogTime('17/May/2015:02:35:03 -0730')).toBe(at);
    expect(parseLogTime('18/May/2015:00:05:03 +1400')).toBe(at);
    expect(parseLogTime('29/Feb/2016:23:59:60 +0000')).toBe(Date.UTC(2016, 2, 1) / 1000);
    expect(parseLogTime('31/Dec/9999:23:59:59 +0000')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59) / 1000);
  });

  it.each([
    '32/May/2015:10:05:03 +0000',
    '00/May/2015:10:05:03 +0000',
    '29/Feb/2015:10:05:03 +0000',
    '31/Apr/2015:10:05:03 +0000',
    '17/Mai/2015:10:05:03 +0000',
    '17/may/2015:10:05:03 +0000',
    '17/May/2015:24:05:03 +0000',
    '17/May/2015:10:60:03 +0000',
    '17/May/2015:10:05:61 +0000',
    '17/May/2015:10:05:03 +1500',
    '17/May/2015:10:05:03 +0060',
    '17/May/2015:10:05:03 0000',
    '17/May/2015:10:05:03',
    '7/May/2015:10:05:03 +0000',
    '01/Jan/1970:00:00:00 +0100',
    '31/Dec/0099:00:00:00 +0000',
    '2015-05-17T10:05:03Z',
    '',
  ])('is not %j', (text) => {
    expect(parseLogTime(text)).toBeUndefined();
  });
});

describe('the requests of a log', () => {
  it('are in order of time, then of line', () => {
    const times = fc.array(fc.oneof(fc.nat(5), fc.nat(200_000), fc.nat(2 ** 40)), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(times, (seconds) => {
        const log = new RequestLog();
        seconds.forEach((second, line) => {
          log.add({ at: second, address: `h${line}`, agent: '-' });
        });
        log.sort();
        const order = seconds.map((second, line) => ({ second, line })).sort((a, b) => a.second - b.second);
        expect(order.map((_, position) => [log.at(position), log.client(position)])).toEqual(
          order.map(({ second, line }) => [second, line]),
        );
      }),
    );
  });

  it('belong to one client where address and user agent agree', () => {
    const log = new RequestLog();
    for (const [address, agent] of [
      ['a', 'x'],
      ['b', 'x'],
      ['a', 'y'],
      ['a', 'x'],
    ] as const)
      log.add({ at: 1, address, agent });
    expect([0, 1, 2, 3].map((position) => log.client(position))).toEqual([0, 1, 2, 0]);
    expect(log.clients).toBe(3);
  });
});

describe('the lines of a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function linesOf(content: string | Buffer): Promise<(string | undefined)[]> {
    const file = join(folder, 'a.log');
    writeFileSync(file, content);
    const lines: (string | undefined)[] = [];
    await readLines(file, (line) => lines.push(line));
    return lines;
  }

  it('end with LF, CRLF or the file', async () => {
    expect(await linesOf('a\nb\r\n\nc')).toEqual(['a', 'b', '', 'c']);
    expect(await linesOf('a\n')).toEqual(['a']);
  });

  it('are whole wherever the file is cut into chunks', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => 'x'.repeat((i * 37) % 200) + i);
    expect(await linesOf(lines.join('\n'))).toEqual(lines);
    expect(await linesOf(gzipSync(lines.join('\n')))).toEqual(lines);
  });

  it('are skipped and not held where they are longer than any line of a log', async () => {
    const long = 'x'.repeat(LONGEST_LINE);
    expect(await linesOf(`a\n${long}\n${long}x\nb\n${long.repeat(3)}`)).toEqual(['a', long, undefined, 'b', undefined]);
  });

  it('come from gzip of several members', async () => {
    expect(await linesOf(Buffer.concat([gzipSync('a\nb'), gzipSync('c\nd\n')]))).toEqual(['a', 'bc', 'd']);
  });
});
