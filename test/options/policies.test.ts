/** Policies: what they set, what they refuse and by which number, and that what they say of tests is so. */

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { type ManagerOptions, type PolicyName, policies, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { runCommand } from '../cli/command.js';
import {
  createCookieFormat,
  drawToken,
  resolveCookieOptions,
  resolveOptions,
  SessionError,
} from '../support/internals.js';
import { pairFor } from '../support/jwt.js';
import { Thread } from '../support/threads.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const names = Object.keys(policies) as PolicyName[];
const nist = names.filter((name) => name.startsWith('nist-'));
const resolve = (options: unknown) => resolveOptions(options, () => false);
const { signs } = pairFor('EdDSA');

function refusal(options: unknown): string {
  try {
    resolve(options);
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    expect((error as SessionError).code).toBe('ERR_INVALID_OPTION');
    return (error as SessionError).message;
  }
  return '';
}

/** Of each policy the longest timeouts, in milliseconds (Infinity: `false` as well), and the numbers that say so. */
const limits: Readonly<
  Record<PolicyName, readonly [idle: number, absolute: number, idleBy: string, absoluteBy: string]>
> = {
  'asvs-l1': [Infinity, Infinity, '', ''],
  'asvs-l2': [36_525 * DAY, 36_525 * DAY, 'OWASP ASVS 5.0, 7.3.1', 'OWASP ASVS 5.0, 7.3.2'],
  'nist-aal1': [Infinity, 30 * DAY, '', 'NIST SP 800-63B-4, 2.1.3'],
  'nist-aal2': [HOUR, 24 * HOUR, 'NIST SP 800-63B-4, 2.2.3', 'NIST SP 800-63B-4, 2.2.3'],
  'nist-aal3': [15 * MINUTE, 12 * HOUR, 'NIST SP 800-63B-4, 2.3.3', 'NIST SP 800-63B-4, 2.3.3'],
};

const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const sessions of started.splice(0)) await sessions.stop();
});

async function start(options: ManagerOptions) {
  const sessions = await startSessionManager({ clock: createManualClock(0), maxSessions: 100, ...options });
  started.push(sessions);
  return sessions;
}

describe('what a policy sets', () => {
  test('a policy is one of five, and none is set where none is named', () => {
    expect(names).toEqual(['asvs-l1', 'asvs-l2', 'nist-aal1', 'nist-aal2', 'nist-aal3']);
    expect(resolve({}).policy).toBeUndefined();
    for (const policy of names) expect(resolve({ policy }).policy).toBe(policy);
    for (const policy of ['', 'asvs', 'ASVS-L1', 'asvs-l3', 'toString', '__proto__', null, true, 1, {}, ['asvs-l1']])
      expect(refusal({ policy })).toContain('`policy`');
  });

  test('what is left out is set to fit, and is never looser than without a policy', () => {
    const usual = resolve({});
    for (const policy of names) {
      const set = resolve({ policy });
      const [idle, absolute] = limits[policy];
      expect(set.idleTimeout).toBe(Math.min(usual.idleTimeout, idle));
      expect(set.absoluteTimeout).toBe(Math.min(usual.absoluteTimeout, absolute));
      expect(set.cookie).toEqual({ ...usual.cookie, persistent: !nist.includes(policy) });
      // What was set can be said as well.
      const { idleTimeout, absoluteTimeout } = set;
      const { name, secure, sameSite, path, persistent } = set.cookie;
      const said = { policy, idleTimeout, absoluteTimeout, cookie: { name, secure, sameSite, path, persistent } };
      expect(resolve(said)).toEqual(set);
    }
    expect(resolve({ policy: 'nist-aal3' }).idleTimeout).toBe(15 * MINUTE);
  });

  test('under NIST’s policies a cookie ends with the browser, unless it is told otherwise', () => {
    for (const policy of nist) {
      expect(resolve({ policy }).cookie.persistent).toBe(false);
      expect(resolve({ policy, cookie: { persistent: true } }).cookie.persistent).toBe(true);
    }
  });

  test('a token is 256 random bits, and two of them have nothing in common', () => {
    const tokens = Array.from({ length: 2000 }, () => Buffer.from(drawToken(), 'base64url'));
    expect(new Set(tokens.map(({ length }) => length))).toEqual(new Set([32]));
    // Each of the 256 bits is set in half of them: a bit that is off by this much would be so by chance once in 10^18
    // times.
    for (let bit = 0; bit < 256; bit++) {
      const set = tokens.filter((token) => ((token[bit >> 3] as number) >> (bit & 7)) & 1).length;
      expect(Math.abs(set - 1000)).toBeLessThan(200);
    }
    expect(new Set(tokens.map((token) => token.toString('hex', 0, 8))).size).toBe(2000);
  });
});

describe('what a policy refuses', () => {
  test('a timeout that a policy does not allow is refused, with the requirement’s number', () => {
    for (const policy of names) {
      const [idle, absolute, idleBy, absoluteBy] = limits[policy];
      for (const [option, most, by] of [
        ['idleTimeout', idle, idleBy],
        ['absoluteTimeout', absolute, absoluteBy],
      ] as const) {
        const within: unknown[] = [1, '1m', Math.min(most, 36_525 * DAY)];
        const beyond: unknown[] = [];
        (most === Infinity ? within : beyond).push(false);
        if (most <= 30 * DAY) beyond.push(most + 1, '31d', '36525d');
        for (const value of within) expect([value, refusal({ policy, [option]: value })]).toEqual([value, '']);
        for (const value of beyond) {
          const text = refusal({ policy, [option]: value });
          expect(text).toContain(`\`${option}\``);
          expect(text).toContain(`(policy '${policy}': ${by})`);
        }
        for (const value of [0, -1, 'x', null, true, {}, '36526d'])
          expect(refusal({ policy, [option]: value })).not.toBe('');
      }
    }
    expect(refusal({ policy: 'nist-aal2', idleTimeout: '2h' })).toBe(
      'Expected `idleTimeout` to be a duration of at most 1 hour (policy \'nist-aal2\': NIST SP 800-63B-4, 2.2.3), got "2h" (string)',
    );
    expect(refusal({ policy: 'asvs-l2', absoluteTimeout: false })).toBe(
      "Expected `absoluteTimeout` to be a duration, not false (policy 'asvs-l2': OWASP ASVS 5.0, 7.3.2), got `false` (boolean)",
    );
  });

  test('a session’s own timeouts are held to the policy, in every thread', async () => {
    for (const policy of names) {
      const [idle, absolute, idleBy, absoluteBy] = limits[policy];
      const sessions = await start({ policy, name: policy });
      const session = await sessions.newSession({ idleTimeout: '1m', absoluteTimeout: '2m' });
      const thread = new Thread();
      await thread.ask('join', policy);
      for (const [option, most, by] of [
        ['idleTimeout', idle, idleBy],
        ['absoluteTimeout', absolute, absoluteBy],
      ] as const) {
        const most100 = Math.min(most, 36_525 * DAY);
        await sessions.newSession({ [option]: most100 });
        await thread.ask('create', { [option]: most100 });
        const beyond: unknown[] = [
          ...(most === Infinity ? [] : [false]),
          ...(most <= 30 * DAY ? [most + 1, '31d'] : []),
        ];
        if (most === Infinity) await sessions.newSession({ [option]: false });
        for (const value of beyond) {
          const refused = { code: 'ERR_INVALID_OPTION', message: expect.stringContaining(by) };
          await expect(sessions.newSession({ [option]: value as never })).rejects.toMatchObject(refused);
          await expect(thread.ask('create', { [option]: value })).rejects.toMatchObject(refused);
          if (option === 'idleTimeout') {
            await expect(session.setIdleTimeout(value as never)).rejects.toMatchObject(refused);
          }
        }
      }
      await session.setIdleTimeout(Math.min(idle, DAY));
      if (idle === Infinity) await session.setIdleTimeout(false);
      expect(session.alive).toBe(true);
      await thread.end();
    }
  });

  test('a cookie that a policy does not allow is refused, with the requirement’s number', () => {
    const jwt = { format: 'jwt', keys: [signs] };
    const signed = { format: 'signed', keys: ['x'.repeat(32)] };
    /** For each cookie, the number by which each policy refuses it; '' where it does not. */
    const cookies: [cookie: object, l1: string, l2: string, nist: string][] = [
      [{}, '', '', ''],
      [{ name: '__Host-other', sameSite: 'strict' }, '', '', ''],
      [{ name: '__Host-Http-id' }, '', '', ''],
      [{ persistent: false }, '', '', ''],
      [{ persistent: true, partitioned: true }, '', '', ''],
      [signed, '', '', ''],
      [jwt, '', '', '5.1.1 (7)'],
      [{ secure: false }, '3.3.1', '3.3.1', '5.1.1 (1)'],
      [{ name: 'id' }, '3.3.1', '3.3.1', '5.1.1 (2) and (5)'],
      [{ name: '__Http-id' }, '3.3.1', '3.3.1', '5.1.1 (2) and (5)'],
      // Not every browser takes a prefix in any letter case.
      [{ name: '__host-id' }, '3.3.1', '3.3.1', '5.1.1 (2) and (5)'],
      [{ name: '__Secure-id' }, '', '3.3.3', '5.1.1 (2) and (5)'],
      [{ name: '__Secure-id', path: '/app' }, '', '3.3.3', '5.1.1 (2) and (5)'],
      [{ name: '__Secure-id', domain: 'example.com' }, '', '', '5.1.1 (2) and (5)'],
      [{ name: 'id', domain: 'example.com' }, '3.3.1', '3.3.1', '5.1.1 (2) and (5)'],
      [{ sameSite: 'none' }, '', '3.3.2', '5.1.1 (6)'],
    ];
    for (const [cookie, l1, l2, aal] of cookies) {
      expect(refusal({ cookie })).toBe('');
      for (const policy of names) {
        const number = nist.includes(policy) ? aal : policy === 'asvs-l1' ? l1 : l2;
        const text = refusal({ policy, cookie });
        const { standard } = policies[policy];
        if (number === '') expect([policy, cookie, text]).toEqual([policy, cookie, '']);
        else expect(text).toContain(`(policy '${policy}': ${standard}, ${number})`);
        if (number !== '') expect(text).toMatch(/^Expected `cookie\.\w+` to be /);
      }
    }
  });

  test('a manager that would break its policy is never started', async () => {
    const started = startSessionManager({ policy: 'nist-aal3', idleTimeout: '16m' });
    await expect(started).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION', outcome: 'not-applied' });
  });

  test('name and value of the largest cookie there is are under 4096 bytes', () => {
    // An RSA key of the 8192 bits that are taken is long in finding: a signature is as long as its key.
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const times = { issuedAt: 8e15, endsAt: 8e15 + 3e12 };
    const options = resolveCookieOptions({
      format: 'jwt',
      algorithm: 'RS256',
      keys: [privateKey],
      name: 'x'.repeat(128),
    });
    const { length } = createCookieFormat(options).valueOf(drawToken(), times);
    const longer = Math.ceil((8192 / 8) * (4 / 3)) - Math.ceil((2048 / 8) * (4 / 3));
    expect(options.name.length + length + longer).toBeLessThan(4096);
    expect(() => resolveCookieOptions({ name: 'x'.repeat(129) })).toThrow(SessionError);
  });
});

describe('what a policy says of itself', () => {
  /** The titles of the tests in a file. */
  const titlesIn = new Map<string, Set<string>>();
  function titlesOf(file: string): Set<string> {
    const known = titlesIn.get(file);
    if (known !== undefined) return known;
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    const found = new Set([...text.matchAll(/^\s*(?:test|it)\((['"])(.*?)\1, /gm)].map(([, , title]) => title ?? ''));
    titlesIn.set(file, found);
    return found;
  }
  const rows = names.flatMap((name) => policies[name].requirements.map((row) => ({ name, ...row })));

  test('every requirement that the library or its options meet names a test, and every test that is named exists', () => {
    expect(rows.length).toBeGreaterThan(80);
    for (const { name, number, by, tested } of rows) {
      if (by !== 'application') expect([name, number, tested.length]).not.toEqual([name, number, 0]);
      for (const { file, test: title } of tested)
        expect([number, file, title, titlesOf(file).has(title)]).toEqual([number, file, title, true]);
    }
  });

  test('every number by which something is refused stands in its policy, and every row says how it is met', () => {
    for (const name of names) {
      const { idleTimeout, absoluteTimeout, requirements } = policies[name];
      const numbers = requirements.map(({ number }) => number);
      for (const rule of [idleTimeout, absoluteTimeout])
        if (rule !== undefined) expect(numbers).toContain(rule.requirement);
      const cookies = nist.includes(name)
        ? ['5.1.1 (1)', '5.1.1 (2)', '5.1.1 (5)', '5.1.1 (6)', '5.1.1 (7)']
        : ['3.3.1', ...(name === 'asvs-l2' ? ['3.3.2', '3.3.3'] : [])];
      expect(numbers).toEqual(expect.arrayContaining(cookies));
      for (const { text, how } of requirements) expect(Math.min(text.length, how.length)).toBeGreaterThan(10);
    }
  });

  test('ASVS’s chapter on sessions is there whole, each number once', () => {
    const { requirements } = policies['asvs-l2'];
    const chapter = requirements.filter(({ number }) => number.startsWith('7.')).map(({ number }) => number);
    const sections = { '7.1': 3, '7.2': 4, '7.3': 2, '7.4': 5, '7.5': 3, '7.6': 2 };
    const whole = Object.entries(sections).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, index) => `${section}.${index + 1}`),
    );
    expect(chapter).toEqual(whole);
    const numbers = requirements.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).toEqual(expect.arrayContaining(['3.3.1', '3.3.2', '3.3.3', '3.3.4', '3.3.5']));
    expect(policies['asvs-l1'].requirements.every(({ level }) => level === 'L1')).toBe(true);
  });
});

describe('coatcheck policy', () => {
  test.each(names)('%s: a table of every requirement, how it is met and where that is tested', async (name) => {
    const { status, stdout, stderr } = await runCommand(['policy', name]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { standard, requirements } = policies[name];
    expect(stdout).toContain(`${name}: ${standard}, ${requirements.length} requirements`);
    const firstCells = stdout.split('\n').map((line) => line.split('│')[1]?.trim());
    expect(firstCells.filter((cell) => cell && /^\d/.test(cell))).toEqual(requirements.map(({ number }) => number));
    for (const line of stdout.split('\n').filter((row) => row.startsWith('│')))
      expect(line.length).toBeLessThanOrEqual(120);
    const words = stdout.replace(/[│\s]+/g, ' ');
    for (const by of new Set(requirements.map((row) => row.by))) expect(words).toContain(`${by}: `);
  });

  test.each(names)('%s --json: the same as one object', async (name) => {
    const { status, stdout, stderr } = await runCommand(['policy', name, '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ policy: name, ...JSON.parse(JSON.stringify(policies[name])) });
  });
});
