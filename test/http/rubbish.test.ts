/** Bad input as the adapters meet it. A million of each kind: `npm run torture -- --http`. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { overBareRules } from '../contract/hosts.js';
import { everyday } from './contract-life.js';
import { presentFormer, presentRubbish } from './rubbish.js';
import { Browser, type Reply, sites } from './sites.js';

const COUNT = 100_000;
const FORMER = 10_000;
const MOST_GROWTH = 4 * 2 ** 20;

test(`S-02, S-49 of ${COUNT} random cookies and ${COUNT} near misses none opens a session, makes one, or leaves anything`, async () => {
  const { hits, created, growth } = await presentRubbish(COUNT, 7);
  expect([hits, created]).toEqual([0, 0]);
  expect(growth).toBeLessThan(MOST_GROWTH);
});

test(`of ${FORMER} tokens that sessions had once, gone in every way there is, none opens a session, makes one, or is given out again`, async () => {
  expect(await presentFormer(FORMER)).toEqual({ hits: 0, missed: 0, created: 0 });
});

describe.each(sites.map((site) => [site.name, site] as const))('over %s', (_, site) => {
  async function begin(cookie: object = {}) {
    const { manager } = await overBareRules({ cookie: { secure: false, ...cookie } });
    const running = await site.start(
      manager,
      async (visit) => ((await everyday[visit.path]?.(visit)) as Reply | undefined) ?? {},
    );
    onTestFinished(async () => {
      await running.close();
      await manager.stop();
    });
    return { manager, running, visitor: new Browser(running, 'inject') };
  }

  test('S-30 every byte beside, before and in a cookie’s value and name: what opens a session is the value alone', async () => {
    const { running, visitor } = await begin();
    await visitor.visit('/login');
    const value = visitor.cookies.get('id') ?? '';
    const isIn = async (cookie: string) => (await running.inject('/', { headers: { cookie } })).body === '["ada",{}]';
    // A Request refuses them itself, or takes them away.
    const isRefused = (byte: string) => site.name.startsWith('hono') && /[\0\r\n]/.test(byte);
    for (let code = 0; code < 256; code++) {
      const byte = String.fromCharCode(code);
      if (isRefused(byte)) continue;
      const isBlank = byte === ' ' || byte === '\t';
      const taken = [
        `id=${byte}${value}`,
        `id=${value}${byte}`,
        `${byte}id=${value}`,
        `id${byte}=${value}`,
        `id=${value.slice(0, 20)}${byte}${value.slice(20)}`,
      ];
      const opens = await Promise.all(taken.map(isIn));
      expect([code, opens]).toEqual([
        code,
        [isBlank, isBlank || byte === ';', isBlank || byte === ';', isBlank, false],
      ]);
    }
  });

  test('of ten cookies of one name, in every order of the good ones among them, none opens a session; of fewer, exactly one may', async () => {
    const { running, visitor } = await begin();
    const other = new Browser(running, 'inject');
    await visitor.visit('/login');
    await other.visit('/login?as=eve');
    const [good = '', eve = ''] = [visitor, other].map(({ cookies }) => cookies.get('id'));
    const ask = async (values: string[]) => {
      const cookie = values.map((value) => `id=${value}`).join('; ');
      return JSON.parse((await running.inject('/', { headers: { cookie } })).body)[0];
    };
    for (let length = 1; length <= 10; length++)
      for (let at = 0; at < length; at++) {
        const junk = Array.from({ length }, (_, n) => String.fromCharCode(97 + n).repeat(43));
        expect([length, at, await ask(junk.with(at, good))]).toEqual([length, at, length <= 8 ? 'ada' : null]);
        for (let second = 0; second < length; second++) {
          if (second === at) continue;
          expect(await ask(junk.with(at, good).with(second, eve))).toBeNull();
          // The same one twice counts as one.
          expect(await ask(junk.with(at, good).with(second, good))).toBe(length <= 9 ? 'ada' : null);
        }
      }
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'S-33 a cookie may be called %s',
    async (name) => {
      const { running, visitor } = await begin({ name });
      expect((await running.inject('/', { headers: { cookie: 'id=x' } })).body).toBe('[null,{}]');
      await visitor.visit(`/login?as=${name}`);
      expect([...visitor.cookies.keys()]).toEqual([name]);
      expect((await visitor.visit('/')).body).toBe(`["${name}",{}]`);
      await visitor.visit('/logout');
      expect(visitor.cookie).toBe('');
    },
  );

  test('S-33 what comes as data under __proto__ changes nothing else', async () => {
    const { visitor } = await begin();
    await visitor.visit('/set?a=1');
    await visitor.visit('/set?__proto__=x&b=2');
    await visitor.visit('/set?c=3');
    const [, data] = JSON.parse((await visitor.visit('/')).body);
    expect(data).toMatchObject({ a: '1', c: '3' });
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Reflect.get({}, 'b')).toBeUndefined();
  });
});
