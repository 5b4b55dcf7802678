/**
 * A manager and the threads that use it, with all that may come in any order in the hands of a scheduler: when a call
 * arrives, when its answer does, when the manager dies. The calls are made by the sessions that applications hold, and
 * done by the manager's own parts. What each step shows is held against `one-session.ts`.
 *
 * At each step within a call, and within what follows a death, other threads look: they see the session as it was, or
 * as it will be, and from then on never as it was.
 */

import { randomFillSync } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Scheduler } from 'fast-check';
import { expect } from 'vitest';
import { BareManager, Died } from '../contract/bare-manager.js';
import { allOf, bareToken, packData } from '../contract/bare-rules.js';
import {
  armFailpoints,
  ByteReader,
  ByteWriter,
  CALL,
  decodeValue,
  digestOf,
  drawToken,
  formatId,
  Handles,
  Lookup,
  randomness,
  readLogin,
  readRotate,
  refusals,
  type SessionContext,
  TableView,
  writeNewSession,
} from '../support/internals.js';
import { keyOf, type Outcome, outcomeOf, type Seen, type State, seenOf, slotOf } from './one-session.js';

const LIMITS = {
  maxSessions: 4,
  maxBytes: 20_000,
  maxSessionBytes: 4000,
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'reject',
  whenFull: 'reject',
} as const;
const NOTHING = new Uint8Array(0);
const TOKEN_BYTES = 32;
const WATCHERS = 2;
const idle = () => {};
const NAMES = new Map<number, string>(Object.entries(CALL).map(([name, which]) => [which, name]));

/**
 * Every token that was ever drawn, by its digest: a call tells but the digest. Ids are not drawn here, so that the
 * blocks hold tokens and nothing else.
 */
const drawn = new Map<string, string>();
randomness.fill = (bytes) => {
  randomFillSync(bytes);
  for (let at = 0; at < bytes.length; at += TOKEN_BYTES) {
    const token = Buffer.from(bytes.subarray(at, at + TOKEN_BYTES)).toString('base64url');
    drawn.set(keyOf(digestOf(token)), token);
  }
};

export interface Known {
  readonly id: string;
  state: State;
  /** Of all tokens that anybody wanted it to have. */
  readonly digests: Set<string>;
}

/** A call on its way to its answer. */
interface Call {
  readonly line: number;
  readonly which: number;
  readonly fields: Uint8Array;
  readonly batch: ArrayBuffer;
  /** The step at which the manager dies, the first time; 0 for never. */
  diesAt: number;
  /** What it came to, once that is sure. */
  outcome: Outcome | undefined;
  /**
   * What a manager that died had answered, if that changed nothing: its successor may have read it, or ask itself anew.
   */
  heard: Outcome | undefined;
}

export class Interleaved {
  readonly known: Known[];
  readonly #bare: BareManager;
  readonly #scheduler: Scheduler;
  readonly #watchers: Lookup[];
  /** Of each thread, the step of its next call at which the manager dies. */
  readonly #diesAt: number[];
  /** What the call under way makes of its session, until somebody has seen it. */
  #next: { readonly known: Known; readonly state: State } | undefined;
  #looks = 0;
  deaths = 0;

  constructor(scheduler: Scheduler, threads: number, sessions: number) {
    this.#scheduler = scheduler;
    this.#bare = new BareManager(LIMITS, threads);
    this.#diesAt = Array.from({ length: threads }, () => 0);
    this.#watchers = Array.from({ length: WATCHERS }, () => this.openLookup());
    this.known = Array.from({ length: sessions }, (_, n) => this.#create(n));
  }

  #create(n: number): Known {
    const token = drawToken();
    const id = Int32Array.of(n + 1, 2, 3, 4);
    const data = { text: 'begun', once: `ticket ${n}` };
    const times = { idle: Number.POSITIVE_INFINITY, absolute: Number.POSITIVE_INFINITY, linked: false };
    const digest = digestOf(token);
    const write = (to: ByteWriter) => {
      writeNewSession(to, { digest, id, ...times, user: NOTHING, client: NOTHING });
      to.raw(packData(data));
    };
    const [answered] = this.#bare.execute(0, this.#bare.batch(0, [[CALL.newSession, write]]));
    // A session is found by the slot that calls name.
    expect([answered?.[0], answered?.[1].u32()]).toEqual(['done', n]);
    const current = keyOf(digest);
    const state = { alive: true, data, version: 0, user: undefined, current, previous: undefined };
    return { id: formatId(id), state, digests: new Set([current]) };
  }

  get now(): number {
    return this.#bare.time;
  }

  tokenOf = (digest: string): string => drawn.get(digest) as string;

  // ------------------------------------------------------------ threads

  /** Something that takes place when the scheduler says so, and not before. */
  turn(what: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), what);
  }

  /** What a thread looks up with. `line`: that of its calls; one that only looks has none. */
  openLookup(line?: number): Lookup {
    const view = new TableView(this.#bare.memory);
    const now = () => this.#bare.time;
    const call = (which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => unknown) =>
      this.#call(line as number, which, write, read);
    const { maxSessionBytes } = LIMITS;
    const context = { view, now, beganAt: now(), maxSessionBytes, callTimeout: 5000, checked: undefined, call };
    return new Lookup(view, now, bareToken, { ...context, watch: idle } as unknown as SessionContext, new Handles());
  }

  /** Has the manager die at a step of the next call of a thread. */
  dieAt(line: number, step: number): void {
    this.#diesAt[line] = step;
  }

  async #call(line: number, which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => unknown) {
    const to = new ByteWriter(64);
    write(to);
    const fields = to.copy();
    const batch = this.#bare.batch(line, [[which, (each) => each.raw(fields)]]);
    const diesAt = this.#diesAt[line] as number;
    this.#diesAt[line] = 0;
    const call: Call = { line, which, fields, batch, diesAt, outcome: undefined, heard: undefined };
    for (;;) {
      await this.turn(`thread ${line}: its ${NAMES.get(which)} arrives`);
      const { deaths } = this;
      const answered = this.#execute(call);
      this.look();
      if (answered === undefined) continue;
      await this.turn(`thread ${line}: is told ${answered[0]}`);
      this.look();
      // An answer that was on its way when its manager died is lost, and the call is sent again.
      if (this.deaths !== deaths) continue;
      const [answer, from] = answered;
      return answer === 'done' ? read(from) : refusals.find((refusal) => refusal.answer === answer);
    }
  }

  // ------------------------------------------------------------ the manager

  pass(milliseconds: number): void {
    this.#bare.time += milliseconds;
    this.look();
  }

  sweep(diesAt: number): void {
    if (!this.#survives(diesAt, () => void allOf(this.#bare.rules.sweep(Number.POSITIVE_INFINITY)))) this.restart(0);
    this.look();
  }

  /** A successor takes the table over. It may die as well, at one of its steps. */
  restart(diesAt: number): void {
    this.deaths++;
    if (!this.#survives(diesAt, () => this.#succeed())) this.#survives(0, () => this.#succeed());
    this.look();
  }

  #succeed(): void {
    expect(this.#bare.succeed().setAside).toEqual([]);
  }

  /** Lets the manager work, up to a step at which it dies, with a look at each. False if it died. */
  #survives(diesAt: number, work: () => void): boolean {
    let step = 0;
    armFailpoints(() => {
      this.#lookAgain();
      if (++step === diesAt) throw new Died();
    });
    try {
      work();
      return true;
    } catch (error) {
      if (error instanceof Died) return false;
      throw error;
    } finally {
      armFailpoints(idle);
    }
  }

  /** Does a call, and holds its answer against what the model says. Undefined if the manager died of it. */
  #execute(call: Call): readonly [answer: string, fields: ByteReader] | undefined {
    const known = this.known[slotOf(call.fields)] as Known;
    if (call.which === CALL.login) known.digests.add(keyOf(readLogin(new ByteReader(call.fields)).digest));
    if (call.which === CALL.rotate) known.digests.add(keyOf(readRotate(new ByteReader(call.fields)).to));
    // What is done already is only answered, and changes nothing more.
    const outcome = call.outcome ?? outcomeOf(known.state, call.which, call.fields, this.#bare.time);
    const changes = call.outcome === undefined && outcome.state !== known.state;
    this.#next = changes ? { known, state: outcome.state } : undefined;
    let answered: readonly [answer: string, fields: ByteReader] | undefined;
    const survives = this.#survives(call.diesAt, () => {
      [answered] = this.#bare.execute(call.line, call.batch);
    });
    call.diesAt = 0;
    const isSeen = changes && this.#next === undefined;
    this.#next = undefined;
    if (!survives || answered === undefined) {
      // Whole or not at all: what was seen of it stays, what was not is still to be done.
      if (isSeen) call.outcome = outcome;
      else if (!changes) call.heard = outcome;
      this.restart(0);
      return undefined;
    }
    const answer = { answer: answered[0], value: takenBy(call, answered[1]) };
    if (call.heard !== undefined && !isSeen && isDeepStrictEqual(answer, answerOf(call.heard))) {
      call.outcome = call.heard;
    } else {
      expect(answer).toEqual(answerOf(outcome));
      if (call.outcome === undefined) known.state = outcome.state;
      call.outcome = outcome;
    }
    return answered;
  }

  /** After everything is closed, answered and swept, nothing of it is left. */
  expectNothingLeft(): void {
    const { rules, sessions, table } = this.#bare;
    const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
    allOf(rules.closeAllSessions(everything));
    for (const line of this.#diesAt.keys()) this.#bare.arrive(line);
    for (let i = 0; i < 2; i++) while (!allOf(rules.sweep(1000)).isOver);
    expect([sessions.live, table.slotsInUse, table.cells.inUse, table.dataBytes]).toEqual([0, 0, 0, 0]);
  }

  // ------------------------------------------------------------ looks

  /** Somebody who remembers former looks sees what is so, and somebody who never looked before. */
  look(): void {
    this.#lookAgain();
    this.#lookWith(this.openLookup());
  }

  /** They take turns, so that what each remembers is of another time. */
  #lookAgain(): void {
    this.#lookWith(this.#watchers[++this.#looks % WATCHERS] as Lookup);
  }

  #lookWith(lookup: Lookup): void {
    const now = this.#bare.time;
    for (const known of this.known) {
      const seen = this.#seen(lookup, known);
      const next = this.#next?.known === known ? this.#next.state : undefined;
      // Compared here, as an `expect` costs more than all of the look.
      if (isDeepStrictEqual(seen, seenOf(known.state, known.digests, now))) continue;
      expect(seen).toEqual(seenOf(next ?? known.state, known.digests, now));
      // Nobody may see what was before, from now on.
      known.state = next as State;
      this.#next = undefined;
    }
  }

  #seen(lookup: Lookup, { id, digests }: Known): Seen {
    const by = [...digests].filter((digest) => {
      const found = lookup.byCookie(this.tokenOf(digest), false);
      // Anything else than this session would be another's.
      if (found !== undefined && found.id !== id) throw new Error(`${id} was looked up, ${found.id} found`);
      return found !== undefined;
    });
    const session = lookup.byId(id);
    if (session === undefined) return { by, byId: false, data: undefined, version: undefined, user: undefined };
    return { by, byId: true, data: session.data, version: session.version, user: session.userId };
  }
}

/** What a `take` was given. */
function takenBy({ which }: Call, from: ByteReader): unknown {
  const { at } = from;
  const value = which === CALL.take && from.left > 0 ? decodeValue(from.raw(from.left)) : undefined;
  from.at = at;
  return value;
}

const answerOf = ({ answer, value }: Outcome) => ({ answer, value });
