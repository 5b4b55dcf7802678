/**
 * Taking over a table as it was left: what was live is live, what had ended stays ended, what is broken harms nothing
 * else.
 */

import { describe, expect, test } from 'vitest';
import { allOf, applied, BareRules, packData, packPatch, packUser } from '../contract/bare-rules.js';
import {
  CELL_WORDS,
  digestOf,
  drawIdInto,
  drawToken,
  ENDED,
  Fenced,
  formatId,
  HEADER,
  PICKED,
  SLOT_WORDS,
  seal,
} from '../support/internals.js';
import { randomFrom } from '../support/random.js';

const limits = {
  maxSessions: 64,
  maxBytes: 100_000,
  maxSessionBytes: 4000,
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'reject',
  whenFull: 'reject',
} as const;
const NOTHING = new Uint8Array(0);
const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };

function fill(rules: BareRules, count: number, user = '') {
  return Array.from({ length: count }, (_, n) => {
    const token = drawToken();
    const id = drawIdInto(new Int32Array(4));
    const call = { digest: digestOf(token), id, idle: 1000, absolute: 10_000, linked: false, client: NOTHING };
    const data = packData({ n, text: 'x'.repeat(n * 20) });
    const reply = applied(() => rules.rules.newSession({ ...call, user: packUser(user), data }, rules.by()));
    if (typeof reply === 'string') throw new Error(reply);
    return { n, token, id: formatId(id), target: { slot: reply.u32(), generation: reply.u32() | 0 } };
  });
}

const dataOf = (rules: BareRules, token: string) => rules.reader().lookup.byCookie(token, false)?.data;

describe('a successor', () => {
  test('finds every live session, and goes on where the other stopped', () => {
    const rules = new BareRules(limits);
    const made = fill(rules, 30, 'ann');
    for (const { target } of made.slice(0, 10)) rules.rules.close(target, false, NOTHING);
    const { dataBytes, slotsInUse, bytesUsed } = rules.table;
    const ended = { ...rules.sessions.ended };
    expect(rules.succeed()).toEqual({ sessions: 20, setAside: [], pins: new Map(), closings: [] });
    expect([rules.table.dataBytes, rules.table.slotsInUse, rules.table.bytesUsed]).toEqual([
      dataBytes,
      slotsInUse,
      bytesUsed,
    ]);
    expect([rules.sessions.live, rules.sessions.created, rules.sessions.ended]).toEqual([20, 30, ended]);
    for (const { n, token } of made) {
      expect(dataOf(rules, token)).toEqual(n < 10 ? undefined : { n, text: 'x'.repeat(n * 20) });
    }
    const ofAnn = rules.sessionsOfUser(packUser('ann'));
    expect(ofAnn).toEqual(made.slice(10).map(({ target }) => target));
    fill(rules, 44);
    expect(rules.table.slotsFree).toBe(0);
    rules.closeAllSessions();
    for (let i = 0; i < 3; i++) rules.sweep();
    expect([rules.table.cells.inUse, rules.table.bytesUsed, rules.soiledCells()]).toEqual([0, 0, 0]);
  });

  test('gives no handle of a former session the next one in its place', () => {
    const rules = new BareRules(limits);
    const [first] = fill(rules, 1);
    if (first === undefined) throw new Error();
    const slots = new Int32Array(rules.memory.slots);
    // As if the manager had died after the pointer's store, before the generation's.
    slots[first.target.slot * SLOT_WORDS + 2] = ENDED;
    slots[first.target.slot * SLOT_WORDS] = 0;
    rules.succeed();
    const [next] = fill(rules, 1);
    expect(next?.target.slot).toBe(first.target.slot);
    expect(rules.rules.endIfOver(first.target)).toBe(true);
  });

  test('lets a place whose generations are used up never again', () => {
    const rules = new BareRules(limits);
    const [first] = fill(rules, 1);
    rules.rules.close(first?.target as never, false, NOTHING);
    new Int32Array(rules.memory.slots)[1] = -1;
    rules.succeed();
    expect([rules.table.slotsFree, fill(rules, 1)[0]?.target.slot]).toEqual([limits.maxSessions - 1, 1]);
  });

  test('ends what an ending of many had picked if that was decided, and nothing if it was not', () => {
    for (const isDecided of [false, true]) {
      const rules = new BareRules(limits);
      const made = fill(rules, 6);
      const reasons = new Uint8Array(rules.memory.reasons);
      for (const { target } of made.slice(0, 3)) reasons[target.slot] = PICKED | 1;
      new Int32Array(rules.memory.header)[HEADER.endingMany] = isDecided ? 1 : 0;
      expect(rules.succeed().sessions).toBe(isDecided ? 3 : 6);
      expect(rules.sessions.ended.closed).toBe(isDecided ? 3 : 0);
      for (let i = 0; i < 2; i++) expect(rules.succeed().sessions).toBe(isDecided ? 3 : 6);
    }
  });

  test('sets a suspect aside, and nobody else', () => {
    const rules = new BareRules(limits);
    const made = fill(rules, 6);
    const suspect = made[2] as (typeof made)[number];
    expect(rules.succeed([], suspect.target.slot)).toMatchObject({ sessions: 5, setAside: [suspect.id] });
    for (const { token, n } of made) expect(dataOf(rules, token) === undefined).toBe(n === 2);
  });

  test('keeps both tokens of a rotated session, and one of one that has logged in', () => {
    const rules = new BareRules(limits);
    const [one, two] = fill(rules, 2);
    if (one === undefined || two === undefined) throw new Error();
    const next = [drawToken(), drawToken()] as const;
    const digests = { from: digestOf(one.token), to: digestOf(next[0]) };
    const sealed = seal(one.token, next[0]);
    applied(() => rules.rules.rotate({ target: one.target, ...digests, grace: 50, sealed }, rules.by()));
    const login = { target: two.target, digest: digestOf(next[1]), user: packUser('ann'), patch: NOTHING };
    applied(() => rules.rules.login(login, rules.by()));
    for (let i = 0; i < 3; i++) {
      rules.succeed();
      const found = [one.token, next[0], two.token, next[1]].map((token) => dataOf(rules, token)?.n);
      expect(found).toEqual([0, 0, undefined, 1]);
    }
  });

  test('honours no token that was rotated out before a login', () => {
    const rules = new BareRules(limits);
    const [made] = fill(rules, 1);
    if (made === undefined) throw new Error();
    const { target, token } = made;
    const [second, third] = [drawToken(), drawToken()];
    const digests = { from: digestOf(token), to: digestOf(second) };
    applied(() => rules.rules.rotate({ target, ...digests, grace: 50, sealed: seal(token, second) }, rules.by()));
    const login = { target, digest: digestOf(third), user: packUser('ann'), patch: NOTHING };
    applied(() => rules.rules.login(login, rules.by()));
    rules.succeed();
    expect([token, second, third].map((each) => dataOf(rules, each)?.n)).toEqual([undefined, undefined, 0]);
  });

  test('takes a record of another generation of its place for none', () => {
    const rules = new BareRules(limits);
    const made = fill(rules, 3);
    const { target, id } = made[1] as (typeof made)[number];
    (new Int32Array(rules.memory.slots)[target.slot * SLOT_WORDS + 1] as number)++;
    expect(rules.succeed()).toMatchObject({ sessions: 2, setAside: [id] });
  });

  test('of two whole records that share a cell, keeps one', () => {
    const rules = new BareRules(limits);
    // Of equal data, so that each record stays whole with the other's last cells.
    const [one, other] = [fill(rules, 20).at(-1), fill(rules, 20).at(-1)];
    if (one === undefined || other === undefined) throw new Error();
    const cells = new Int32Array(rules.memory.segments[0] as SharedArrayBuffer);
    const slots = new Int32Array(rules.memory.slots);
    const fourthOf = ({ target }: typeof one) => {
      let cell = slots[target.slot * SLOT_WORDS] as number;
      for (let n = 1; n < 4; n++) cell = cells[cell * CELL_WORDS] as number;
      return cell;
    };
    cells[fourthOf(other) * CELL_WORDS] = cells[fourthOf(one) * CELL_WORDS] as number;
    expect(dataOf(rules, other.token)).toEqual({ n: 19, text: 'x'.repeat(380) });
    expect(rules.succeed()).toMatchObject({ sessions: 39, setAside: [other.id] });
    expect(dataOf(rules, one.token)).toEqual({ n: 19, text: 'x'.repeat(380) });
  });
});

test('a manager that was given up for dead writes nothing, whatever it is told to do', () => {
  const bare = new BareRules(limits);
  const made = fill(bare, 20, 'ann');
  const { rules, endings } = bare;
  bare.succeed();
  const { shape, ...memory } = bare.memory;
  const buffers = Object.values(memory).flat() as SharedArrayBuffer[];
  const before = buffers.map((buffer) => Buffer.from(new Uint8Array(buffer).slice()));
  bare.time += 1;
  const { target, token } = made[0] as (typeof made)[number];
  const login = { target, digest: digestOf(drawToken()), user: packUser('bob'), patch: NOTHING };
  const rotate = { target, from: digestOf(token), to: digestOf(drawToken()), grace: 5, sealed: seal(token, token) };
  const doings = [
    () => applied(() => rules.set(target, packPatch({ n: 2 }), bare.by())),
    () => applied(() => rules.login(login, bare.by())),
    () => applied(() => rules.rotate(rotate, bare.by())),
    () => applied(() => rules.setIdleTimeout(target, 5, bare.by())),
    () => rules.close(target, false, NOTHING),
    () => allOf(rules.closeAllSessions(everything)),
    () => allOf(endings.endLongestIdle(-1)),
  ];
  for (const doing of doings) {
    expect(doing).toThrow(Fenced);
    buffers.forEach((buffer, n) => {
      expect(Buffer.compare(new Uint8Array(buffer), before[n] as Buffer)).toBe(0);
    });
  }
  expect(shape.maxSessions).toBe(limits.maxSessions);
});

test('whatever words are broken, nothing throws, and whoever is still found has the data that was last written', () => {
  const random = randomFrom('broken');
  let setAside = 0;
  for (let round = 0; round < 300; round++) {
    const rules = new BareRules(limits);
    const made = fill(rules, 40, 'ann');
    for (const { target } of made.slice(0, 5)) rules.rules.close(target, false, NOTHING);
    const touched = new Int32Array(rules.memory.header)[HEADER.cellsTouched] as number;
    const places: [SharedArrayBuffer, number][] = [
      [rules.memory.segments[0] as SharedArrayBuffer, touched * CELL_WORDS],
      [rules.memory.slots, 40 * SLOT_WORDS],
      [rules.memory.ids[0], rules.memory.shape.indexWords],
      [rules.memory.digests[0], rules.memory.shape.indexWords],
      [rules.memory.reasons, 10],
    ];
    for (let n = 1 + random.below(60); n > 0; n--) {
      const [buffer, words] = random.pick(places);
      const word = random.pick([0, 1, -1, random.below(2 ** 31), random.below(touched), 1 << random.below(31)]);
      // Not the first cell, which is never used.
      const skip = buffer === rules.memory.segments[0] ? CELL_WORDS : 0;
      new Int32Array(buffer)[skip + random.below(words - skip)] = word;
    }
    const isHeaderBroken = random.chance(0.2);
    if (isHeaderBroken) {
      const header = new Int32Array(rules.memory.header);
      header[random.pick([HEADER.slotsTouched, HEADER.cellsTouched])] = random.pick([-1, 0, 2 ** 31 - 1]);
    }
    const recovered = rules.succeed();
    setAside += recovered.setAside.length;
    for (const { n, token } of made) {
      const data = dataOf(rules, token);
      if (data !== undefined) expect(data).toEqual({ n, text: 'x'.repeat(n * 20) });
    }
    expect(rules.sessions.live).toBe(recovered.sessions);
    // And it is a table like any other.
    rules.closeAllSessions();
    for (let i = 0; i < 3; i++) rules.sweep();
    expect([rules.table.cells.inUse, rules.table.slotsInUse]).toEqual([0, 0]);
    if (!isHeaderBroken) expect(rules.soiledCells()).toBe(0);
    expect(fill(rules, 5).every(({ token }) => dataOf(rules, token) !== undefined)).toBe(true);
  }
  expect(setAside).toBeGreaterThan(300);
});
