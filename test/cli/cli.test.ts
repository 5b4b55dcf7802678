import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RequestLog, replayLog } from '../support/internals.js';
import { runCommand, startCommand } from './command.js';

const fixture = fileURLToPath(new URL('../fixtures/access.log', import.meta.url));
const text = readFileSync(fixture, 'latin1');
const minutes = 60;
const hours = 3600;

interface Request {
  at: number;
  client: string;
}

/**
 * The rule, without a manager: a client is address and user agent, requests come in order of time, then of line, and a
 * session is over when a request comes `idle` seconds or more after the last one, or `absolute` or more after the
 * first; what both end at one instant, age has ended.
 */
function countSessions(requests: Request[], idle: number, absolute: number) {
  const sessions = new Map<string, { first: number; last: number }>();
  const count = { requests: requests.length, clients: 0, opened: 0, peak: 0, endedIdle: 0, endedByAge: 0, alive: 0 };
  const endBy = (now: number) => {
    for (const [client, { first, last }] of sessions) {
      if (Math.min(last + idle, first + absolute) > now) continue;
      sessions.delete(client);
      if (first + absolute <= last + idle) count.endedByAge += 1;
      else count.endedIdle += 1;
    }
  };
  count.clients = new Set(requests.map(({ client }) => client)).size;
  for (const { at, client } of requests.toSorted((a, b) => a.at - b.at)) {
    endBy(at);
    const session = sessions.get(client);
    if (session === undefined) {
      sessions.set(client, { first: at, last: at });
      count.opened += 1;
    } else session.last = at;
    count.peak = Math.max(count.peak, sessions.size);
  }
  count.alive = sessions.size;
  return count;
}

function requestsOf(log: string): Request[] {
  return [...log.matchAll(/^(\S+) \S+ \S+ \[(\d+)\/May\/2015:(\d+):(\d+):(\d+) \+0000\] .* "(.*)"$/gm)].map((match) => {
    const [day, hour, minute, second] = match.slice(2, 6).map(Number) as [number, number, number, number];
    return { at: Date.UTC(2015, 4, day, hour, minute, second) / 1000, client: `${match[1]} ${match[6]}` };
  });
}

function resultOf(stdout: string): Record<string, number> {
  return JSON.parse(stdout) as Record<string, number>;
}

/** What was found, without what finding it took. */
function findingsOf(stdout: string): Record<string, number> {
  const { seconds, lookups, calls, ...found } = resultOf(stdout);
  expect([seconds, lookups, calls].every(Number.isFinite)).toBe(true);
  return found;
}

describe('coatcheck replay', () => {
  it.each([
    ['30m', '8h', 30 * minutes, 8 * hours],
    ['2h', '8h', 2 * hours, 8 * hours],
    ['2h', '4h', 2 * hours, 4 * hours],
    ['1m', '8h', minutes, 8 * hours],
    ['24h', 'never', 24 * hours, Infinity],
    ['never', '5m', Infinity, 5 * minutes],
    ['never', 'never', Infinity, Infinity],
  ])(
    'finds what counting finds, with --idle %s --absolute %s',
    async (idle, absolute, idleSeconds, absoluteSeconds) => {
      const { status, stdout, stderr } = await runCommand([
        'replay',
        fixture,
        '--json',
        '--idle',
        idle,
        '--absolute',
        absolute,
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { seconds, lookups, calls, ...found } = resultOf(stdout);
      const counted = countSessions(requestsOf(text), idleSeconds, absoluteSeconds);
      expect(found).toEqual({ ...counted, skippedLines: 0 });
      expect(lookups).toBe(counted.requests);
      expect(seconds).toBeGreaterThan(0);
      expect(calls).toBeGreaterThanOrEqual(counted.opened);
    },
  );

  it('finds what counting finds in any log, also where ends and requests meet at one instant', async () => {
    const request = fc.record({ at: fc.nat(30), client: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f') });
    const timeout = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity));
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 60 }),
        timeout,
        timeout,
        async (requests, idle, absolute) => {
          const log = new RequestLog();
          for (const { at, client } of requests) log.add({ at, address: client, agent: '-' });
          log.sort();
          const settings = {
            idleTimeout: idle === Infinity ? false : idle * 1000,
            absoluteTimeout: absolute === Infinity ? false : absolute * 1000,
          } as const;
          const { result, series } = await replayLog(log, settings, { points: 7 });
          expect(result).toMatchObject(countSessions(requests, idle, absolute));
          expect(Math.max(...series)).toBe(result.peak);
          expect(series.at(-1)).toBeGreaterThanOrEqual(result.alive);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('takes 30m and 8h where nothing is said', async () => {
    const plain = findingsOf((await runCommand(['replay', fixture, '--json'])).stdout);
    const told = findingsOf(
      (await runCommand(['replay', fixture, '--json', '--idle', '30m', '--absolute', '8h'])).stdout,
    );
    expect(plain).toEqual(told);
  });

  it('shows a table and a chart, and no progress bar where nobody watches', async () => {
    const { status, stdout, stderr } = await runCommand(['replay', fixture]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { opened, peak } = countSessions(requestsOf(text), 30 * minutes, 8 * hours);
    expect(stdout).toMatch(new RegExp(`Sessions opened +│ +${opened} │`));
    expect(stdout).toMatch(new RegExp(`^ *${peak} [┤┼]`, 'm'));
    expect(stdout).toContain('2015-05-17 10:05');
    for (const line of stdout.split('\n').filter((row) => /[┤┼]/.test(row)))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  it('reads standard input, gzip or not', async () => {
    const expected = findingsOf((await runCommand(['replay', fixture, '--json'])).stdout);
    for (const input of [text, gzipSync(text)]) {
      const { status, stdout } = await runCommand(['replay', '-', '--json'], input);
      expect(status).toBe(0);
      expect(resultOf(stdout)).toMatchObject(expected);
    }
  });

  it('counts the lines that are none of a log, and skips them', async () => {
    const lines = text.split('\n');
    const mixed = [
      '#Fields: date time',
      '',
      ...lines.slice(0, 500),
      `${'x'.repeat(2_000_000)}`,
      '\0\0',
      ...lines.slice(500),
    ];
    const { stdout } = await runCommand(['replay', '-', '--json'], mixed.join('\r\n'));
    const counted = countSessions(requestsOf(text), 30 * minutes, 8 * hours);
    expect(resultOf(stdout)).toMatchObject({ ...counted, skippedLines: 4 });
  });

  it('compares times of different zones as instants', async () => {
    const zones = [
      'h - - [17/May/2015:12:00:00 +0200] "GET / HTTP/1.1" 200 1',
      'h - - [17/May/2015:05:45:00 -0430] "GET / HTTP/1.1" 200 1',
      'h - - [17/May/2015:10:30:00 +0000] "GET / HTTP/1.1" 200 1',
    ];
    const { stdout } = await runCommand(['replay', '-', '--json', '--idle', '20m'], zones.join('\n'));
    expect(resultOf(stdout)).toMatchObject({ requests: 3, opened: 1, alive: 1 });
  });

  it('ends quietly when nobody reads on', async () => {
    const { child, ended } = startCommand('replay', fixture);
    child.stdout?.destroy();
    const { status, stderr } = await ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('a file that is no log', () => {
  let folder: string;
  const files = {
    'empty.log': '',
    'prose.log': 'no\nlog\n',
    'cut.gz': gzipSync(text).subarray(0, 5000),
    'broken.gz': Buffer.concat([gzipSync(text).subarray(0, 20), Buffer.alloc(1000, 0xff)]),
    'empty.gz': gzipSync(''),
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['missing.log', 'there is no such file'],
    ['', 'it is a directory'],
    ['empty.log', 'is empty'],
    ['empty.gz', 'holds no line'],
    ['prose.log', 'holds no line in common or combined log format: none of its 2 lines is one'],
    ['cut.gz', 'ends too early'],
    ['broken.gz', 'is damaged'],
  ])('is told in one line, exit status 1: %j', async (name, reason) => {
    const { status, stdout, stderr } = await runCommand(['replay', join(folder, name)]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^coatcheck: .*\n$/);
    expect(stderr).toContain(reason);
  });

  it('is told for standard input as well', async () => {
    const { status, stderr } = await runCommand(['replay', '-']);
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'coatcheck: standard input is empty\n' });
  });
});

describe('usage', () => {
  it.each([
    [[]],
    [['replay']],
    [['replay', fixture, 'another']],
    [['replay', fixture, '--bogus']],
    [['replay', fixture, '--idle']],
    [['replay', fixture, '--idle', '5']],
    [['replay', fixture, '--idle', '0s']],
    [['replay', fixture, '--idle', '-5m']],
    [['replay', fixture, '--absolute', 'Never']],
    [['replay', fixture, '--absolute', '99999999d']],
    [['demo', '--port', '65536']],
    [['demo', '--port', '1e3']],
    [['demo', 'here']],
    [['policy']],
    [['policy', 'asvs-l3']],
    [['policy', 'ASVS-L1']],
    [['policy', 'toString']],
    [['policy', 'asvs-l1', 'asvs-l2']],
    [['policy', 'asvs-l1', '--bogus']],
    [['attend']],
  ])('that is wrong ends with status 2 and says so: %j', async (args) => {
    const { status, stdout, stderr } = await runCommand(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/error: |Usage: /);
  });

  it('is explained by --help, for the whole and for each part', async () => {
    const whole = await runCommand(['--help']);
    expect(whole).toMatchObject({ status: 0, stderr: '' });
    for (const word of ['replay', 'demo', 'policy', '--version']) expect(whole.stdout).toContain(word);
    const replay = await runCommand(['replay', '--help']);
    expect(replay).toMatchObject({ status: 0, stderr: '' });
    for (const word of ['--idle', '--absolute', '--json', 'default: 30m', 'default: 8h', 'Examples'])
      expect(replay.stdout).toContain(word);
    expect(await runCommand(['demo', '--help'])).toMatchObject({ status: 0, stderr: '' });
    const policy = await runCommand(['policy', '--help']);
    expect(policy).toMatchObject({ status: 0, stderr: '' });
    for (const word of ['asvs-l1', 'asvs-l2', 'nist-aal1', 'nist-aal2', 'nist-aal3', '--json', 'Examples'])
      expect(policy.stdout).toContain(word);
  });

  it('tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await runCommand(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });
});
