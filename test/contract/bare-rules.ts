/**
 * The rules of sessions with nothing around them: a table, a time that is a number, nobody who listens. Calls are made
 * one by one.
 */

import {
  ByteReader,
  ByteWriter,
  CELL_WORDS,
  type CloseAllCall,
  CONNECTION,
  type CookieFormat,
  drawIdInto,
  Endings,
  encodeData,
  encodeKey,
  encodePatch,
  Handles,
  HEADER,
  isPrepared,
  Journal,
  Listing,
  Lookup,
  type Notifier,
  type Recovered,
  type Refusal,
  Rules,
  type Ruling,
  readText,
  recover,
  reserveTable,
  SEGMENT_CELLS,
  type SessionContext,
  type SessionInfo,
  Sessions,
  type Steps,
  shapeFor,
  TableView,
  TableWriter,
  type Target,
  timeoutLimitsUnder,
  wordsOf,
  writeTarget,
} from '../support/internals.js';

export interface Limits {
  readonly maxSessions: number;
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  readonly whenFull: 'reject' | 'end-longest-idle';
}

/** What another thread has to read with: views and memo of its own. */
export interface Reader {
  readonly lookup: Lookup;
  readonly list: (user?: string) => AsyncIterableIterator<SessionInfo>;
}

/** Room for a handful of sessions. */
export const few = {
  maxSessions: 8,
  maxBytes: 5000,
  maxSessionBytes: 600,
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'reject',
  whenFull: 'reject',
} as const satisfies Limits;

/** A notifier that nobody listens to. */
export const silentNotifier: Notifier = { wanted: 0, tell() {}, over() {}, watched: () => [] };

/** A cookie that is the token, whatever its length. */
export const bareToken: CookieFormat = {
  tokenOf: (cookie) => cookie,
  goodUntil: () => Infinity,
  isOutdated: () => false,
  valueOf: (token) => token,
};

export class BareRules {
  time = Date.UTC(2026, 0, 1);
  readonly now = () => this.time;
  readonly memory;
  table: TableWriter;
  sessions: Sessions;
  endings: Endings;
  rules: Rules;
  #calls = 0;

  constructor(readonly limits: Limits) {
    this.memory = reserveTable(shapeFor(limits), [7, 11]);
    this.table = this.#own();
    this.sessions = new Sessions(this.table);
    this.endings = new Endings(this.sessions, silentNotifier, this.now);
    this.rules = new Rules(this.sessions, this.endings, silentNotifier, limits, this.now);
  }

  /** Raises the epoch: a manager that wrote the table before is fenced. */
  #own(): TableWriter {
    const header = new Int32Array(this.memory.header);
    return new TableWriter(this.memory, Atomics.add(header, HEADER.ownerEpoch, 1) + 1);
  }

  /** Forgets all that lies beside the table, and takes the table over as a successor does. */
  succeed(journals: readonly SharedArrayBuffer[] = [], suspect = -1): Recovered {
    this.table = this.#own();
    this.sessions = new Sessions(this.table);
    this.endings = new Endings(this.sessions, silentNotifier, this.now);
    this.rules = new Rules(this.sessions, this.endings, silentNotifier, this.limits, this.now);
    const survivors = journals.map((memory, n) => ({
      number: n + 1,
      words: new Int32Array(CONNECTION.words),
      journal: new Journal(memory, this.table.owner),
    }));
    return allOf(recover(this.sessions, survivors, suspect));
  }

  /** Has a session begin, empty and with the given digest; refused or made, where it lies. */
  begin(digest: Int32Array, { id = drawIdInto(new Int32Array(4)), idle = 100 } = {}): Target | Refusal {
    const nothing = new Uint8Array(0);
    const rest = {
      absolute: Number.POSITIVE_INFINITY,
      linked: false,
      user: nothing,
      client: nothing,
      data: packData({}),
    };
    const reply = applied(() => this.rules.newSession({ digest, id, idle, ...rest }, this.by()));
    return typeof reply === 'string' ? reply : { slot: reply.u32(), generation: reply.u32() | 0 };
  }

  /** The same for one that must be made. */
  made(digest: Int32Array, options?: { id?: Int32Array; idle?: number }): Target {
    const target = this.begin(digest, options);
    if (typeof target === 'string') throw new Error(target);
    return target;
  }

  sessionsOfUser(user: Uint8Array): Target[] {
    const targets: Target[] = [];
    allOf(this.rules.sessionsOfUser(user, (target) => targets.push(target)));
    return targets;
  }

  closeAllSessions(filter: Partial<CloseAllCall> = {}): number {
    const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
    return allOf(this.rules.closeAllSessions({ ...everything, ...filter }));
  }

  /** A whole sweep. */
  sweep(): number {
    const { ended, isOver } = allOf(this.rules.sweep(Number.POSITIVE_INFINITY));
    return isOver ? ended : ended + this.sweep();
  }

  by() {
    return { connection: 1, call: ++this.#calls };
  }

  reader(): Reader {
    const { maxSessionBytes } = this.limits;
    // The one call that reading may make: which sessions a user has.
    const call: SessionContext['call'] = async (_, write, read) => {
      const [asked, reply] = [new ByteWriter(64), new ByteWriter(64)];
      write(asked);
      const targets = this.sessionsOfUser(readText(new ByteReader(asked.copy())));
      reply.u32(targets.length);
      for (const target of targets) writeTarget(reply, target);
      return read(new ByteReader(reply.copy()));
    };
    const view = new TableView(this.memory);
    const limits = timeoutLimitsUnder(undefined);
    const context = {
      view,
      now: this.now,
      beganAt: this.time,
      maxSessionBytes,
      limits,
      checked: undefined,
      call,
      watch() {},
    };
    return {
      lookup: new Lookup(view, this.now, bareToken, context, new Handles()),
      list: (userId) => new Listing(context, userId === undefined ? {} : { userId }).sessions(),
    };
  }

  /** Cells that are free or in quarantine, and not all zeros but for their links. */
  soiledCells(): number {
    const touched = new Int32Array(this.memory.header)[HEADER.cellsTouched] as number;
    let soiled = 0;
    this.memory.segments.forEach((segment, n) => {
      const words = wordsOf(segment);
      const end = Math.min(touched - n * SEGMENT_CELLS, SEGMENT_CELLS) * CELL_WORDS;
      for (let at = 0; at < end; at += CELL_WORDS) {
        if (words.subarray(at + 1, at + CELL_WORDS).some((word) => word !== 0)) soiled++;
      }
    });
    return soiled;
  }
}

/** Goes through all steps of something. */
export function allOf<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Asks a rule until there is capacity, publishes what it has prepared and returns the reply, or the refusal. */
export function applied(rule: () => Ruling): ByteReader | Refusal {
  for (;;) {
    const ruling = rule();
    if (typeof ruling === 'string') return ruling;
    if (isPrepared(ruling)) {
      const reply = new ByteWriter(64);
      ruling.apply(reply);
      return new ByteReader(reply.copy());
    }
    const refusal = allOf(ruling);
    if (refusal !== undefined) return refusal;
  }
}

const written = (write: (to: ByteWriter) => void): Uint8Array => {
  const to = new ByteWriter(64);
  write(to);
  return to.copy();
};

export const packData = (data: object) => written((to) => encodeData(to, data, 2 ** 20));
export const packPatch = (patch: object) => written((to) => encodePatch(to, patch, 2 ** 20));
export const packKey = (key: string) => written((to) => encodeKey(to, key));
export const packUser = (user: string) => new TextEncoder().encode(user);
