/**
 * Cookies that nobody was given, as the adapters look them up: drawn at random, and made of live ones by one small
 * change.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Session } from '../../dist/src/index.js';
import { overBareRules } from '../contract/hosts.js';
import { randomNumbers } from '../fixtures/ledger.js';
import { findSession, resolveHttpOptions } from '../support/internals.js';

const SESSIONS = 500;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** What came of it. */
export interface Presented {
  readonly random: number;
  readonly nearMisses: number;
  readonly hits: number;
  readonly created: number;
  /** By which the heap has grown, in bytes. */
  readonly growth: number;
}

/** Presents so many of both kinds; throws if a look-up does. */
export async function presentRubbish(count: number, seed: number): Promise<Presented> {
  const { manager } = await overBareRules({ cookie: { secure: false } });
  const options = resolveHttpOptions(manager, {});
  const random = randomNumbers(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const held = await Promise.all(Array.from({ length: SESSIONS }, () => manager.newSession({ userId: 'ada' })));
  const tokens = held.map((session) => manager.getCookieData(session).value);
  const known = new Set(tokens);
  let hits = 0;

  const present = async (value: string): Promise<void> => {
    const header = (name: string) => (name === 'cookie' ? `a=b; id=${value}` : undefined);
    const found = findSession(manager, { method: 'GET', header, peer: undefined, encrypted: false }, options, true);
    if ((found instanceof Promise ? await found : found) !== undefined) hits++;
  };
  const words = new Uint32Array(8);
  const atRandom = () => {
    for (let i = 0; i < words.length; i++) words[i] = below(2 ** 32);
    return Buffer.from(words.buffer).toString('base64url');
  };
  const letter = () => LETTERS[below(LETTERS.length)] as string;
  const changes: readonly ((token: string, at: number) => string)[] = [
    (token, at) => token.slice(0, at) + letter() + token.slice(at + 1),
    // The same bytes in another spelling, as the last letter has two bits to spare.
    (token) => token.slice(0, -1) + letter(),
    (token, at) => token.slice(0, at) + token.slice(at + 1),
    (token, at) => token.slice(0, at) + letter() + token.slice(at),
    (token, at) => token.slice(at) + token.slice(0, at),
    (token) => token.toLowerCase(),
    (token) => `${token}=`,
    (token, at) => token.slice(0, at) + (tokens[below(SESSIONS)] as string).slice(at),
    (token, at) => `${token.slice(0, at)}%${token.charCodeAt(at).toString(16)}${token.slice(at + 1)}`,
    (token, at) => token.slice(0, at) + String.fromCharCode(below(0x250)) + token.slice(at + 1),
  ];
  const nearMiss = () => {
    for (;;) {
      const token = tokens[below(SESSIONS)] as string;
      const changed = (changes[below(changes.length)] as (typeof changes)[number])(token, below(token.length));
      if (!known.has(changed) && !isLive(changed)) return changed;
    }
  };
  // A change may have put a blank or a semicolon at the end of a live one, and these are none of a value.
  const isLive = (value: string) => known.has(value.split(';')[0]?.replace(/^[ \t]+|[ \t]+$/g, '') ?? '');

  const before = await manager.stats();
  for (let i = 0; i < 1000; i++) await present(i % 2 === 0 ? atRandom() : nearMiss());
  const heap = settledHeap();
  for (let i = 0; i < count; i++) await present(atRandom());
  for (let i = 0; i < count; i++) await present(nearMiss());
  const growth = settledHeap() - heap;
  const after = await manager.stats();
  for (const token of tokens) if (manager.getSession(token)?.userId !== 'ada') throw new Error('a session is gone');
  await manager.stop();
  return { random: count, nearMisses: count, hits, created: after.created - before.created, growth };
}

/**
 * Presents so many tokens that sessions had once, each gone in one of the ways there are, beside as many that are good;
 * the former ones open nothing and are given to nobody again, the good ones open what is theirs. `hits` counts what a
 * former one opened, `missed` the good ones that opened nothing.
 */
export async function presentFormer(count: number): Promise<{ hits: number; missed: number; created: number }> {
  const { manager, clock } = await overBareRules({
    cookie: { secure: false },
    maxSessions: 2 * count,
    maxBytes: 2 ** 26,
    idleTimeout: '1h',
    absoluteTimeout: '8h',
  });
  const options = resolveHttpOptions(manager, {});
  const cookieOf = (session: Session) => manager.getCookieData(session).value;
  const ways: readonly ((session: Session) => Promise<unknown>)[] = [
    (session) => session.close(),
    (session) => session.login('ada'),
    (session) => session.rotate({ grace: 0 }),
    (session) => session.rotate({ grace: '1m' }).then(() => session.rotate({ grace: '1m' })),
    (session) => session.rotate({ grace: '1m' }),
    (session) => session.setIdleTimeout('1m'),
    (session) => manager.sessionWantsToClose(session.id),
    (session) => manager.sessionTerminating(session),
    (session) => manager.closeAllSessions({ except: keeper, userId: 'leaver' }).then(() => session),
  ];
  const keeper = await manager.newSession({ userId: 'leaver' });
  const former: string[] = [];
  const good: string[] = [cookieOf(keeper)];
  for (let i = 0; i < count; i++) {
    const way = i % ways.length;
    const session = await manager.newSession({ userId: way === ways.length - 1 ? 'leaver' : 'ada' });
    former.push(cookieOf(session));
    await ways[way]?.(session);
    if (session.alive && way !== 5) good.push(cookieOf(session));
  }
  clock.advance('1m');
  const before = await manager.stats();
  const opens = async (value: string) => {
    const header = (name: string) => (name === 'cookie' ? `id=${value}` : undefined);
    return (
      (await findSession(manager, { method: 'GET', header, peer: undefined, encrypted: false }, options, true)) !==
      undefined
    );
  };
  let [hits, missed] = [0, 0];
  // Before anything is freed, and when all of it is.
  for (const tidy of [async () => undefined, () => manager.sweep()]) {
    await tidy();
    for (const value of former) if (await opens(value)) hits++;
    for (const value of good) if (!(await opens(value))) missed++;
  }
  const created = (await manager.stats()).created - before.created;
  const again = new Set(former);
  for (const value of good) if (again.has(value)) throw new Error('a token was given out twice');
  await manager.stop();
  return { hits, missed, created };
}

function settledHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
}
