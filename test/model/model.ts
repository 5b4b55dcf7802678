/**
 * What the rules should do, as a plain Map: does each step on both sides and compares everything that a thread can see.
 */

import { expect } from 'vitest';
import { applied, BareRules, type Limits, packData, packKey, packPatch, packUser } from '../contract/bare-rules.js';
import { digestOf, drawIdInto, drawToken, formatId, SessionRecord, seal } from '../support/internals.js';

/** One call or one move of time. `nth`: the live session it is done to, counted round. */
export type Step =
  | { do: 'new'; user: number; text: string; idle: number; absolute: number }
  | { do: 'set'; nth: number; key: string; text: string | undefined }
  | { do: 'take'; nth: number; key: string }
  | { do: 'login'; nth: number; user: number; key: string; text: string }
  | { do: 'rotate'; nth: number; grace: number }
  | { do: 'look' | 'close'; nth: number }
  | {
      do: 'closeAll';
      user?: number | undefined;
      except?: number | undefined;
      before?: number | undefined;
      limit?: number | undefined;
    }
  | { do: 'advance'; by: number }
  | { do: 'sweep' | 'succeed' };

interface Known {
  readonly id: Int32Array;
  readonly target: { slot: number; generation: number };
  readonly createdAt: number;
  readonly idle: number;
  token: string;
  previous: string | undefined;
  graceUntil: number;
  user: string;
  /** When it became its user's. */
  turn: number;
  data: Record<string, string>;
  seenAt: number;
  expiresAt: number;
  version: number;
}

const USERS = ['', 'ann', 'bob'];
export class Model {
  readonly bare: BareRules;
  readonly live = new Map<string, Known>();
  readonly dead: string[] = [];
  readonly #reader;
  #turn = 0;
  created = 0;

  constructor(limits: Limits) {
    this.bare = new BareRules(limits);
    this.#reader = this.bare.reader();
  }

  endsAt = (known: Known) => Math.min(known.seenAt + known.idle, known.expiresAt);

  forget(known: Known): void {
    this.live.delete(formatId(known.id));
    this.dead.push(known.token);
    if (known.previous !== undefined) this.dead.push(known.previous);
  }

  /** Time alone ends sessions. */
  pass(): void {
    for (const known of [...this.live.values()]) if (this.endsAt(known) <= this.bare.time) this.forget(known);
  }

  pick(n: number): Known | undefined {
    return [...this.live.values()][n % Math.max(1, this.live.size)];
  }

  bytesOf = (data: object) => packData(data).length;

  get bytes(): number {
    return [...this.live.values()].reduce((sum, { data }) => sum + this.bytesOf(data), 0);
  }

  ofUser = (user: string) =>
    [...this.live.values()].filter((known) => known.user === user).sort((a, b) => a.turn - b.turn);

  /**
   * What the limits make of a change: who has to go for it, or a refusal. Those who go to make room are read off the
   * table, and must have been idle for the longest.
   */
  expectRoom(user: string, joins: boolean, slots: number, growth: number, spare?: Known): string | undefined {
    const { maxSessions, maxBytes, maxSessionsPerUser, whenOverLimit, whenFull } = this.bare.limits;
    const mine = user === '' || !joins ? [] : this.ofUser(user);
    const over = mine.slice(0, Math.max(0, mine.length + 1 - maxSessionsPerUser));
    if (over.length > 0 && whenOverLimit === 'reject') return 'ERR_SESSION_LIMIT';
    const gone = new Set(over);
    const left = () => [...this.live.values()].filter((known) => !gone.has(known));
    const fits = () => {
      const bytes = left().reduce((sum, { data }) => sum + this.bytesOf(data), 0);
      return left().length + slots <= maxSessions && (growth <= 0 || bytes + growth <= maxBytes);
    };
    if (!fits() && whenFull === 'reject') return 'ERR_TABLE_FULL';
    this.#mustGo = over;
    this.#mayGo = !fits();
    this.#spare = spare;
    return undefined;
  }

  #mustGo: Known[] = [];
  #mayGo = false;
  #spare: Known | undefined;

  /** Follows the endings that room was made by. */
  settleRoom(): void {
    for (const known of this.#mustGo) this.forget(known);
    const evicted = this.#mayGo
      ? [...this.live.values()].filter(({ target }) => this.bare.rules.endIfOver(target))
      : [];
    const stayed = [...this.live.values()].filter((known) => !evicted.includes(known) && known !== this.#spare);
    const earliest = Math.min(...stayed.map(({ seenAt }) => seenAt));
    for (const known of evicted) {
      expect(known.seenAt).toBeLessThanOrEqual(earliest);
      this.forget(known);
    }
    this.#mustGo = [];
    this.#mayGo = false;
  }

  do(step: Step): void {
    const { rules } = this.bare;
    const now = this.bare.time;
    switch (step.do) {
      case 'advance':
        this.bare.time += step.by;
        return;
      case 'sweep':
        this.bare.sweep();
        expect(this.bare.sessions.live).toBe(this.live.size);
        expect(this.bare.table.slotsInUse).toBe(this.live.size);
        expect(this.bare.table.dataBytes).toBe(this.bytes);
        return;
      case 'succeed': {
        const { sessions, setAside } = this.bare.succeed();
        expect(setAside).toEqual([]);
        expect(sessions).toBeGreaterThanOrEqual(this.live.size);
        // Of those that became their user's in the same millisecond the order is not known any more: the older record
        // goes first.
        const since = (known: Known) => this.#loggedIn.get(known) ?? known.createdAt;
        const stamp = ({ target }: Known) => {
          const record = new SessionRecord();
          return this.bare.table.view.load(target.slot, record) && record.stampLow;
        };
        const held = [...this.live.values()].sort((a, b) => since(a) - since(b) || stamp(a) - stamp(b));
        for (const known of held) known.turn = ++this.#turn;
        return;
      }
      case 'new': {
        const token = drawToken();
        const id = drawIdInto(new Int32Array(4));
        const data = { a: step.text };
        const user = USERS[step.user] as string;
        const packed = packData(data);
        const refusal = this.expectRoom(user, true, 1, packed.length);
        const call = { digest: digestOf(token), id, idle: step.idle, absolute: step.absolute, linked: false };
        const made = { ...call, user: packUser(user), client: new Uint8Array(0), data: packed };
        const reply = applied(() => rules.newSession(made, this.bare.by()));
        if (refusal !== undefined || typeof reply === 'string') {
          expect(reply).toBe(refusal);
          this.dead.push(token);
          return;
        }
        this.settleRoom();
        this.created++;
        const target = { slot: reply.u32(), generation: reply.u32() | 0 };
        const born = {
          id,
          target,
          token,
          user,
          data,
          idle: step.idle,
          createdAt: now,
          seenAt: now,
          expiresAt: now + step.absolute,
        };
        this.live.set(formatId(id), { ...born, previous: undefined, graceUntil: 0, turn: ++this.#turn, version: 0 });
        return;
      }
      case 'closeAll': {
        const user = step.user === undefined ? undefined : (USERS[step.user] as string) || 'nobody';
        const except = step.except === undefined ? undefined : this.pick(step.except);
        const createdBefore = step.before === undefined ? Number.POSITIVE_INFINITY : now - step.before;
        const limit = step.limit ?? Number.POSITIVE_INFINITY;
        const bySlot = (a: Known, b: Known) => a.target.slot - b.target.slot;
        const picked = (user === undefined ? [...this.live.values()].sort(bySlot) : this.ofUser(user))
          .filter((known) => known !== except && known.createdAt < createdBefore)
          .slice(0, limit);
        const filter = {
          user: user === undefined ? undefined : packUser(user),
          except: except?.id,
          createdBefore,
          limit,
        };
        expect(this.bare.closeAllSessions(filter)).toBe(picked.length);
        for (const known of picked) this.forget(known);
        return;
      }
      default: {
        const known = this.pick(step.nth);
        if (known !== undefined) this.doTo(known, step);
      }
    }
  }

  doTo(known: Known, step: Extract<Step, { nth: number }>): void {
    const { rules } = this.bare;
    const by = this.bare.by();
    const { target } = known;
    switch (step.do) {
      case 'look':
        expect(this.#reader.lookup.byCookie(known.token, true)?.id).toBe(formatId(known.id));
        known.seenAt = this.bare.time;
        return;
      case 'close':
        rules.close(target, false, new Uint8Array(0));
        this.forget(known);
        return;
      case 'take': {
        const { [step.key]: value, ...rest } = known.data;
        const reply = applied(() => rules.take({ target, key: packKey(step.key) }, by));
        if (typeof reply === 'string') throw new Error(reply);
        expect(reply.left > 0).toBe(value !== undefined);
        if (value !== undefined) known.version++;
        known.data = rest;
        return;
      }
      case 'rotate': {
        const next = drawToken();
        const { grace } = step;
        const call = {
          target,
          from: digestOf(known.token),
          to: digestOf(next),
          grace,
          sealed: seal(known.token, next),
        };
        expect(typeof applied(() => rules.rotate(call, by))).toBe('object');
        if (known.previous !== undefined) this.dead.push(known.previous);
        known.previous = known.token;
        known.token = next;
        known.graceUntil = this.bare.time + grace;
        return;
      }
      case 'set':
      case 'login':
        this.#write(known, step);
    }
  }

  #write(known: Known, step: Extract<Step, { do: 'set' | 'login' }>): void {
    const { rules, limits } = this.bare;
    const { [step.key]: _, ...rest } = known.data;
    const data = step.text === undefined ? rest : { ...known.data, [step.key]: step.text };
    const size = this.bytesOf(data);
    const user = step.do === 'login' ? (USERS[step.user] as string) : known.user;
    const tooLarge = size > limits.maxSessionBytes ? 'ERR_SESSION_TOO_LARGE' : undefined;
    const growth = size - this.bytesOf(known.data);
    const refusal = tooLarge ?? this.expectRoom(user, user !== known.user, 0, growth, known);
    const patch = packPatch({ [step.key]: step.text });
    const token = drawToken();
    const call = { target: known.target, digest: digestOf(token), user: packUser(user), patch };
    const by = this.bare.by();
    const reply = applied(() => (step.do === 'set' ? rules.set(known.target, patch, by) : rules.login(call, by)));
    expect(typeof reply === 'string' ? reply : undefined).toBe(refusal);
    if (refusal !== undefined) return;
    this.settleRoom();
    known.data = data;
    known.version++;
    if (step.do === 'set') return;
    this.dead.push(known.token);
    if (known.previous !== undefined) this.dead.push(known.previous);
    const lasts = known.expiresAt - (this.#loggedIn.get(known) ?? known.createdAt);
    this.#loggedIn.set(known, this.bare.time);
    Object.assign(known, {
      token,
      previous: undefined,
      user,
      turn: ++this.#turn,
      seenAt: this.bare.time,
      expiresAt: this.bare.time + lasts,
    });
  }

  readonly #loggedIn = new WeakMap<Known, number>();

  /** Every lookup, by every token there ever was, and every listing. */
  async compare(): Promise<void> {
    const now = this.bare.time;
    // Beside the reader that remembers what it saw, one that has seen nothing yet.
    for (const { lookup } of [this.#reader, this.bare.reader()]) {
      for (const known of this.live.values()) {
        const session = lookup.byCookie(known.token, false);
        const { data, user, version, seenAt } = known;
        expect([session?.data, session?.userId, session?.version]).toEqual([data, user || undefined, version]);
        expect(session?.lastSeenAt.getTime()).toBe(seenAt);
        expect(lookup.byId(formatId(known.id))).toBe(session);
        const byPrevious = known.previous === undefined ? undefined : lookup.byCookie(known.previous, false);
        expect(byPrevious).toBe(known.previous !== undefined && now < known.graceUntil ? session : undefined);
      }
      for (const token of this.dead.slice(-60)) expect(lookup.byCookie(token, false)).toBeUndefined();
    }
    for (const user of [undefined, ...USERS.slice(1)]) {
      const ids: string[] = [];
      for await (const { id } of this.#reader.list(user)) ids.push(id);
      const wanted = user === undefined ? [...this.live.values()] : this.ofUser(user);
      expect(ids.sort()).toEqual(wanted.map(({ id }) => formatId(id)).sort());
    }
  }

  /** After everything is closed and swept, nothing of it is left. */
  expectNothingLeft(): void {
    const { bare: rules } = this;
    const { sessions, table } = rules;
    rules.closeAllSessions();
    rules.sweep();
    rules.sweep();
    expect([sessions.live, table.slotsInUse, table.dataBytes, sessions.due.size]).toEqual([0, 0, 0, 0]);
    expect(USERS.map((user) => sessions.users.count(packUser(user)))).toEqual([0, 0, 0]);
    expect([table.cells.inUse, table.cells.quarantined, table.bytesUsed, this.bare.soiledCells()]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(sessions.created).toBe(this.created);
    expect(Object.values(sessions.ended).reduce((sum, count) => sum + count)).toBe(this.created);
  }
}
