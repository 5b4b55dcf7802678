/**
 * One batch of calls: its calls are done in order, as many in one step as its length allows, and answered in one reply.
 * Manager's thread.
 *
 * A batch may have been sent before, to a manager that died. The calls that that manager finished are answered from the
 * journal; the one that it had begun last is in doubt.
 */

import { ByteReader, type ByteWriter, MalformedBytes } from '../../src/protocol/bytes.js';
import { ANSWERS, type Answer, CALL, CONNECTION } from '../../src/protocol/calls.js';
import { HEADER, WORK } from '../../src/protocol/layout.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from '../rules/caller.js';
import { type Steps, UNITS } from '../table/pace.js';
import type { TableWriter } from '../table/table.js';
import type { CallerConnection, Connections } from './connections.js';
import type { Gauges } from './gauges.js';
import { type Calls, isRepeatable, type PendingCall } from './perform.js';
import { replayAnswer } from './replayed-answers.js';
import type { Job } from './turns.js';

/** What all batches share. */
export interface BatchContext {
  readonly table: TableWriter;
  readonly connections: Connections;
  readonly calls: Calls;
  readonly gauges: Gauges;
  /** Whether every call is refused from now on. */
  readonly isStopped: boolean;
  /** An empty writer for a reply; `releaseReply` makes it available again. */
  acquireReply(): ByteWriter;
  releaseReply(reply: ByteWriter): void;
  /** Stops the manager; resolves when that is done. */
  stop(): Promise<void>;
}

export class BatchJob implements Job, PendingCall {
  readonly connection: CallerConnection;
  readonly from: ByteReader;
  which = 0;
  fieldsAt = 0;
  by!: Caller;
  asksToStop = false;
  readonly #context: BatchContext;
  /** Used by this batch alone from its first step to its last, as other batches are answered in between. */
  #reply: ByteWriter | undefined;
  #first = 0;
  #count = 0;
  #next = 0;
  /** Offsets of the next call in the batch, and of the current call's answer in the reply. */
  #nextAt = 0;
  #answerAt = 0;
  #isAnswered = false;
  /** The current call, if it takes several steps, and how many milliseconds it has taken so far. */
  #steps: Steps<Answer> | undefined;
  #elapsed = 0;
  #outcome: ArrayBuffer | Promise<ArrayBuffer> | undefined;
  #settle: ((outcome: ArrayBuffer | Promise<ArrayBuffer>) => void) | undefined;

  constructor(context: BatchContext, connection: CallerConnection, batch: ArrayBuffer) {
    this.#context = context;
    this.connection = connection;
    this.from = new ByteReader(new Uint8Array(batch));
  }

  get reply(): ByteWriter {
    return this.#reply as ByteWriter;
  }

  /** The reply, once there is one. Rejects for bytes that are not a batch of this build. */
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
      // Bytes that are not a batch of this build are their sender's fault; any other error ends the manager.
      if (!(error instanceof MalformedBytes)) throw error;
      this.#resolve(Promise.reject(error));
    }
    this.#context.connections.flush();
    header[HEADER.workAt] = WORK.nothing;
    return isDone;
  }

  #begin(): void {
    failpoint('batch: arrived');
    const { connection, from } = this;
    this.#reply = this.#context.acquireReply();
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
      const answer = this.#steps === undefined ? this.#do(call) : this.#continue(call);
      const now = performance.now();
      this.#elapsed += now - before;
      before = now;
      if (typeof answer === 'string') {
        this.#answer(call, answer);
        gauges.recordCall(this.#elapsed);
        this.#elapsed = 0;
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

  /** Decodes the next call and does it, or the first step of it. */
  #do(call: number): Answer | undefined {
    const { connection, from } = this;
    // Not where reading the call before stopped: it may not have read all its fields.
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
    if (!this.#isAnswered) return this.#beginCall(call);
    // Nobody waits for the answer, and the journal may have dropped it.
    if (this.isGivenUp) return 'given-up';
    if (!isRepeatable(this.which)) return replayAnswer(this.#context.table, this);
    // CONNECTION.begun is not set: later calls were begun already, and it must never go back.
    return this.#perform(call);
  }

  #beginCall(call: number): Answer | undefined {
    const { inDoubt, journal } = this.connection;
    if (inDoubt !== (call | 0)) journal.beginCall(call);
    else {
      journal.resumeCall(call);
      // A sweep publishes no record, so how many sessions it ended is not known.
      if (this.which === CALL.sweep) return 'ERR_MANAGER_RESTARTED';
    }
    return this.#call(call);
  }

  #call(call: number): Answer | undefined {
    const { connection } = this;
    this.#noteWork(call);
    // The manager stores `begun`, then reads whether the call was given up; the caller stores `settled`, then reads
    // `begun`. So at least one of them sees the other's store.
    Atomics.store(connection.words, CONNECTION.begun, call | 0);
    if (this.isGivenUp) return 'given-up';
    if (this.#context.isStopped) return 'ERR_MANAGER_STOPPED';
    failpoint('call: begun');
    return this.#perform(call);
  }

  #perform(call: number): Answer | undefined {
    const answer = this.#context.calls.do(this);
    if (typeof answer === 'string') return answer;
    this.#steps = answer;
    return this.#continue(call);
  }

  /** Whether nobody waits for the current call's answer any more. */
  get isGivenUp(): boolean {
    return ((this.by.call - this.connection.settled) | 0) <= 0;
  }

  #continue(call: number): Answer | undefined {
    this.#noteWork(call);
    const { done, value } = (this.#steps as Steps<Answer>).next();
    if (!done) return undefined;
    this.#steps = undefined;
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
    this.#context.releaseReply(this.reply);
    this.#resolve(this.asksToStop ? this.#context.stop().then(() => buffer) : buffer);
  }

  #resolve(outcome: ArrayBuffer | Promise<ArrayBuffer>): void {
    this.#outcome = outcome;
    this.#settle?.(outcome);
  }
}
