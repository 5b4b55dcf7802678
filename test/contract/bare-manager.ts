/**
 * All of the manager's thread but the thread: batches go in as bytes, replies come out. It dies where it is told to,
 * and has a successor on the same memory.
 */

import type { MessagePort } from 'node:worker_threads';
import {
  ANSWERS,
  BatchJob,
  ByteReader,
  ByteWriter,
  CallerConnection,
  CONNECTION,
  type ConnectionMemory,
  Connections,
  Endings,
  Executor,
  HEADER,
  Journal,
  Owner,
  Pace,
  type Recovered,
  Rules,
  recover,
  reserveConnectionMemory,
  reserveTable,
  Sessions,
  shapeFor,
  TableWriter,
} from '../support/internals.js';
import type { Limits } from './bare-rules.js';

export class Died extends Error {}

/** Runs `work`, which dies before its `nth` write to shared memory. False if it had no so many. */
export function dyingAt(nth: number, work: () => void): boolean {
  const { check } = Owner.prototype;
  let left = nth;
  Owner.prototype.check = function checkOrDie(this: Owner) {
    if (--left === 0) throw new Died();
    check.call(this);
  };
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof Died) return true;
    throw error;
  } finally {
    Owner.prototype.check = check;
  }
}

/** Has whatever goes in steps yield wherever it can. Returns what ends that. */
export function endEachStepAtOnce(): () => void {
  const isOver = Object.getOwnPropertyDescriptor(Pace.prototype, 'isOver') as PropertyDescriptor;
  Object.defineProperty(Pace.prototype, 'isOver', { configurable: true, get: () => true });
  return () => void Object.defineProperty(Pace.prototype, 'isOver', isOver);
}

/** A call: which, and its fields. */
export type Packed = readonly [which: number, fields: (to: ByteWriter) => void];
export type Answered = readonly [answer: string, fields: ByteReader];

export class BareManager {
  time = Date.UTC(2026, 0, 1);
  readonly memory;
  readonly lines: ConnectionMemory[];
  readonly limits: Limits;
  sessions!: Sessions;
  table!: TableWriter;
  endings!: Endings;
  rules!: Rules;
  executor!: Executor;
  connections!: CallerConnection[];
  readonly #next: number[];
  /** What goes on in another turn. */
  readonly #later: (() => void)[] = [];

  /** `lines`: how many threads are connected. */
  constructor(limits: Limits, lines = 2) {
    this.limits = limits;
    this.lines = Array.from({ length: lines }, reserveConnectionMemory);
    this.#next = this.lines.map(() => 1);
    this.memory = reserveTable(shapeFor(limits), [7, 11]);
    this.succeed();
  }

  /** A manager that knows nothing but the memory. */
  succeed(): Recovered {
    const { limits } = this;
    const header = new Int32Array(this.memory.header);
    this.table = new TableWriter(this.memory, Atomics.add(header, HEADER.ownerEpoch, 1) + 1);
    const { owner } = this.table;
    const now = () => this.time;
    const connections = new Connections();
    this.sessions = new Sessions(this.table);
    this.endings = new Endings(this.sessions, connections, now);
    this.rules = new Rules(this.sessions, this.endings, connections, limits, now);
    const { rules, sessions, endings } = this;
    const parts = { rules, sessions, endings, connections, bytesReserved: 0 };
    this.#later.length = 0;
    this.executor = new Executor({ ...parts, *stop() {}, die: () => {} }, (work) => void this.#later.push(work));
    const survivors = this.lines.map(({ words, journal }, n) => ({
      number: n + 1,
      words: new Int32Array(words),
      journal: new Journal(journal, owner),
    }));
    const recovering = recover(this.sessions, survivors);
    let step = recovering.next();
    for (; !step.done; step = recovering.next()) this.table.pace.begin();
    const recovered = step.value;
    for (const at of recovered.closings) this.endings.awaitClosing(at);
    this.connections = survivors.map(({ number, words, journal }) => {
      const port = { postMessage() {}, close() {} } as unknown as MessagePort;
      const connection = connections.add(new CallerConnection(number, port, words, journal, { isInherited: true }));
      for (const pin of recovered.pins.get(number) ?? []) connection.pins.add(this.table, pin);
      return connection;
    });
    return recovered;
  }

  /** Packs calls that travel together. */
  batch(line: number, calls: readonly Packed[]): ArrayBuffer {
    const to = new ByteWriter();
    to.f64(this.#next[line] as number);
    this.#next[line] = (this.#next[line] as number) + calls.length;
    to.u32(calls.length);
    for (const [which, fields] of calls) {
      to.u8(which);
      const lengthAt = to.reserve(4);
      fields(to);
      to.view.setUint32(lengthAt, to.length - lengthAt - 4, true);
    }
    return to.copy().buffer;
  }

  /** Has a batch done, to its end; its answers count as arrived only when `arrive` says so. */
  execute(line: number, batch: ArrayBuffer): Answered[] {
    const begun = this.begin(line, batch);
    this.goOn();
    return this.answersOf(begun);
  }

  /** Has a batch begun, and done as far as one step goes. */
  begin(line: number, batch: ArrayBuffer): BatchJob {
    const connection = this.connections[line] as CallerConnection;
    const job = new BatchJob(this.executor, connection, batch);
    this.executor.turns.add(connection.queue, job);
    return job;
  }

  answersOf(job: BatchJob): Answered[] {
    const from = new ByteReader(new Uint8Array(job.outcome() as ArrayBuffer));
    return Array.from({ length: from.u32() }, () => {
      const answer = ANSWERS[from.u8()] as string;
      return [answer, new ByteReader(from.raw(from.u32()).slice())];
    });
  }

  /** Lets the event loop turn for as long as anything waits for that, or so many times; returns how often it did. */
  goOn(most = Number.POSITIVE_INFINITY): number {
    for (let turns = 0; ; turns++) {
      const work = turns < most ? this.#later.shift() : undefined;
      if (work === undefined) return turns;
      work();
    }
  }

  /** All that a thread was answered has arrived there. */
  arrive(line: number): void {
    const { words } = this.connections[line] as CallerConnection;
    Atomics.store(words, CONNECTION.settled, Atomics.load(words, CONNECTION.begun));
  }
}
