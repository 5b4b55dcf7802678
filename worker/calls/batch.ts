/**
 * A batch of calls on its way through the manager: each is done in its turn, as many in one step as that allows, and
 * all are answered in one reply. Manager's thread.
 *
 * A batch may have been sent before, to a manager that died. What that one did of it is answered from the journal; the
 * call that it was at is in doubt.
 */

import { ByteReader, type ByteWriter, MalformedBytes } from '../../src/protocol/bytes.js';
import { ANSWERS, type Answer, CALL, CONNECTION } from '../../src/protocol/calls.js';
import { HEADER, WORK } from '../../src/protocol/layout.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from '../rules/caller.js';
import { type Steps, UNITS } from '../table/pace.js';
import type { TableWriter } from '../table/table.js';
import type { Connection, Connections } from './connections.js';
import type { Gauges } from './gauges.js';
import { type Calls, type Doing, isDoneAgain } from './perform.js';
import { recall } from './replayed-answers.js';
import type { Job } from './turns.js';

/** What all batches share. */
export interface BatchContext {
  readonly table: TableWriter;
  readonly connections: Connections;
  readonly calls: Calls;
  readonly gauges: Gauges;
  /** Whether every call is refused from now on. */
  readonly isStopped: boolean;
  /** An empty writer for a reply, and what becomes of it afterwards. */
  takeReply(): ByteWriter;
  giveBack(reply: ByteWriter): void;
  /** Ends the manager; resolves when that is done. */
  stop(): Promise<void>;
}

export class Batch implements Job, Doing {
  readonly connection: Connection;
  readonly from: ByteReader;
  which = 0;
  fieldsAt = 0;
  by!: Caller;
  asksToStop = false;
  readonly #context: BatchContext;
  /** Its own from its first step to its last: other batches are answered in between. */
  #reply: ByteWriter | undefined;
  #first = 0;
  #count = 0;
  #next = 0;
  /** Where the next call begins, and where the answer to this one. */
  #nextAt = 0;
  #answerAt = 0;
  #isAnswered = false;
  /** The call at hand, where it goes in steps, and how long it has taken so far. */
  #goingOn: Steps<Answer> | undefined;
  #took = 0;
  #outcome: ArrayBuffer | Promise<ArrayBuffer> | undefined;
  #settle: ((outcome: ArrayBuffer | Promise<ArrayBuffer>) => void) | undefined;

  constructor(context: BatchContext, connection: Connection, batch: ArrayBuffer) {
    this.#context = context;
    this.connection = connection;
    this.from = new ByteReader(new Uint8Array(batch));
  }

  get reply(): ByteWriter {
    return this.#reply as ByteWriter;
  }

  /** The reply, once there is one. Rejects for a batch that is none of this build. */
  outcome(): ArrayBuffer | Promise<ArrayBuffer> {
    if (this.#outcome !== undefined) return this.#outcome;
    return new Promise((settle) => {
      this.#settle = settle;
    });
  }

  advance(): boolean {
    const { header } = this.#context.table.owner;
    header[HEADER.workConnection] = this.connection.number;
    header[HEADER.workAt] = WORK.call;
    let isDone = true;
    try {
      if (this.#reply === undefined) this.#begin();
      isDone = this.#advance();
      if (isDone) this.#finish();
    } catch (error) {
      // A batch that is none of this build is its sender's failure; anything else is the manager's end.
      if (!(error instanceof MalformedBytes)) throw error;
      this.#come(Promise.reject(error));
    }
    this.#context.connections.flush();
    header[HEADER.workAt] = WORK.nothing;
    return isDone;
  }

  #begin(): void {
    failpoint('batch: arrived');
    const { connection, from } = this;
    this.#reply = this.#context.takeReply();
    this.#first = from.f64();
    this.#count = from.u32();
    this.#reply.u32(this.#count);
    connection.pins.releaseUpTo(this.#context.table, connection.settled);
  }

  #advance(): boolean {
    const { gauges, table } = this.#context;
    let before = performance.now();
    while (this.#next < this.#count) {
      const call = this.#first + this.#next;
      const answer = this.#goingOn === undefined ? this.#do(call) : this.#goOn(call);
      const now = performance.now();
      this.#took += now - before;
      before = now;
      if (typeof answer === 'string') {
        this.#answer(call, answer);
        gauges.took(this.#took);
        this.#took = 0;
        this.#next++;
        table.pace.spend(UNITS.call);
      }
      if (this.#next < this.#count && table.pace.isOver) {
        failpoint('batch: step over');
        return false;
      }
    }
    return true;
  }

  /** Takes the next call apart and does it, or the first step of it. */
  #do(call: number): Answer | undefined {
    const { connection, from } = this;
    // Not where the call before has stopped to read.
    if (this.#next > 0) from.at = this.#nextAt;
    from.end = from.bytes.length;
    this.which = from.u8();
    const bytes = from.u32();
    this.fieldsAt = from.skip(bytes);
    this.#nextAt = from.at;
    from.at = this.fieldsAt;
    from.end = this.#nextAt;
    this.#answerAt = this.reply.reserve(5);
    this.#isAnswered = connection.journal.isDone(call);
    this.by = { connection: connection.number, call, journal: connection.journal, pins: connection.pins };
    if (!this.#isAnswered) return this.#turnTo(call);
    // The journal has nothing of it any more.
    if (this.isGivenUp) return 'given-up';
    if (!isDoneAgain(this.which)) return recall(this.#context.table, connection.journal, call, this);
    // Not said to be begun: calls after it were, and the word never goes back behind them.
    return this.#perform(call);
  }

  #turnTo(call: number): Answer | undefined {
    const { inDoubt, journal } = this.connection;
    if (inDoubt !== (call | 0)) journal.turnTo(call);
    else {
      journal.turnBackTo(call);
      // No record is left by a sweep: how many it ended, nobody knows.
      if (this.which === CALL.sweep) return 'ERR_MANAGER_RESTARTED';
    }
    return this.#call(call);
  }

  #call(call: number): Answer | undefined {
    const { connection } = this;
    this.#noteWork(call);
    // Said before it is looked whether the caller has given up; the caller gives up before it looks what was begun. So
    // at least one sees the other.
    Atomics.store(connection.words, CONNECTION.begun, call | 0);
    if (this.isGivenUp) return 'given-up';
    if (this.#context.isStopped) return 'ERR_MANAGER_STOPPED';
    failpoint('call: begun');
    return this.#perform(call);
  }

  #perform(call: number): Answer | undefined {
    const answer = this.#context.calls.do(this);
    if (typeof answer === 'string') return answer;
    this.#goingOn = answer;
    return this.#goOn(call);
  }

  /** Whether nobody waits for the answer to the call at hand any more. */
  get isGivenUp(): boolean {
    return ((this.by.call - this.connection.settled) | 0) <= 0;
  }

  #goOn(call: number): Answer | undefined {
    this.#noteWork(call);
    const { done, value } = (this.#goingOn as Steps<Answer>).next();
    if (!done) return undefined;
    this.#goingOn = undefined;
    return value;
  }

  #noteWork(call: number): void {
    const { header } = this.#context.table.owner;
    header[HEADER.workSlot] = 0;
    header[HEADER.workCall] = call | 0;
  }

  #answer(call: number, answer: Answer): void {
    const { reply } = this;
    const at = this.#answerAt;
    if (answer !== 'done') reply.length = at + 5;
    reply.bytes[at] = ANSWERS.indexOf(answer);
    reply.view.setUint32(at + 1, reply.length - at - 5, true);
    if (!this.#isAnswered) this.connection.journal.answered(call, answer);
    failpoint('call: answered in the journal');
  }

  #finish(): void {
    const { header } = this.#context.table.owner;
    header[HEADER.served] = (header[HEADER.served] as number) + 1;
    failpoint('batch: reply packed');
    const { buffer } = this.reply.copy();
    this.#context.giveBack(this.reply);
    this.#come(this.asksToStop ? this.#context.stop().then(() => buffer) : buffer);
  }

  #come(outcome: ArrayBuffer | Promise<ArrayBuffer>): void {
    this.#outcome = outcome;
    this.#settle?.(outcome);
  }
}
