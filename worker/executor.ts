/**
 * Does the calls, one at a time in order of arrival: takes a batch apart, has each call done by the rules, and packs the answers. Manager's thread.
 */

import { setImmediate } from 'node:timers/promises';
import { ByteReader, ByteWriter, MalformedBytes } from '../src/protocol/bytes.js';
import {
  ANSWERS,
  type Answer,
  CALL,
  CONNECTION,
  packSwept,
  readClose,
  readNewSession,
  readRotate,
  readSetIdleTimeout,
  readTarget,
  readText,
  writeTarget,
} from '../src/protocol/calls.js';
import { readCloseAll } from '../src/protocol/close-all.js';
import { readLogin, readReplace, readSet, readTake } from '../src/protocol/data-calls.js';
import { readCloseByKey } from '../src/protocol/keyed-calls.js';
import { DIGEST_WORDS, HEADER, ID_WORDS, WORK } from '../src/protocol/layout.js';
import { writeStats } from '../src/protocol/stats.js';
import type { Caller } from './caller.js';
import type { Connection } from './connections.js';
import { failpoint } from './failpoints.js';
import { Gauges } from './gauges.js';
import { Keeping } from './keeping.js';
import { OneByOne } from './one-by-one.js';
import type { ManagerParts } from './parts.js';
import { type Batch, isDoneAgain, recall } from './recall.js';

/** Slots that a call looks at, and frees, before others have their turn. */
const SWEPT_AT_ONCE = 1000;

export class Executor {
  readonly #parts: ManagerParts;
  readonly #reply = new ByteWriter();
  readonly #gauges = new Gauges();
  /** Of the session that is being made: calls are done one at a time, and this many arrays take longer to make than the rest of reading it. */
  readonly #drawn = { digest: new Int32Array(DIGEST_WORDS), id: new Int32Array(ID_WORDS) };
  readonly #order = new OneByOne((error) => this.#failed(error));
  #stopAsked = false;
  #stopping: Promise<void> | undefined;
  #stopped = false;
  readonly #keeping: Keeping;

  constructor(parts: ManagerParts) {
    this.#parts = parts;
    this.#keeping = new Keeping(parts.store, this.#reply);
  }

  /** Does a batch of calls. A promise only where a store is waited for, or the end. */
  execute(connection: Connection, batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
    const reply = this.alone(() => this.#begin(connection, batch));
    return reply instanceof Promise ? reply.then((done) => this.#unlessStopping(done)) : this.#unlessStopping(reply);
  }

  #unlessStopping(reply: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
    if (!this.#stopAsked) return reply;
    this.#stopAsked = false;
    this.#stopping ??= this.#stop();
    return this.#stopping.then(() => reply);
  }

  /** Ends it all, after what had arrived from other threads when the end was asked for. */
  async #stop(): Promise<void> {
    await setImmediate();
    await setImmediate();
    this.#stopped = true;
    this.#gauges.close();
    await this.alone(() => this.#parts.stop());
  }

  /** Runs something that must not meet a call half done. */
  alone<T>(work: () => T | Promise<T>): T | Promise<T> {
    return this.#order.alone(work);
  }

  /** A batch that is none of this build is its sender's failure; anything else is the manager's end. */
  #failed(error: unknown): void {
    if (!(error instanceof MalformedBytes)) this.#parts.die(error);
    this.#parts.sessions.table.owner.header[HEADER.workAt] = WORK.nothing;
    this.#parts.connections.flush();
  }

  #begin(connection: Connection, batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
    const reader = new ByteReader(new Uint8Array(batch));
    failpoint('batch: arrived');
    const reply = this.#reply;
    reply.reset();
    const first = reader.f64();
    const count = reader.u32();
    reply.u32(count);
    const { owner } = this.#parts.sessions.table;
    const { header } = owner;
    const begun = Atomics.load(connection.words, CONNECTION.begun);
    owner.beat();
    header[HEADER.workConnection] = connection.number;
    header[HEADER.workAt] = WORK.call;
    const done = connection.journal.begin(first, count);
    failpoint('batch: journal opened');
    // The thread's next batch shows that the answers to the one before are in its queue.
    if (done < 0) this.confirm(connection);
    return this.#from({ connection, reader, first, count, done, begun }, 0);
  }

  /** Gives up the records that held answers of a connection: they have arrived, or never will. */
  confirm(connection: Connection): void {
    for (const pointer of connection.pins.splice(0)) this.#parts.sessions.table.cells.retire(pointer);
  }

  #from(batch: Batch, start: number): ArrayBuffer | Promise<ArrayBuffer> {
    const { connection, reader, first, count, done } = batch;
    const { journal } = connection;
    const reply = this.#reply;
    const end = reader.bytes.length;
    let before = performance.now();
    for (let i = start; i < count; i++) {
      reader.end = end;
      const which = reader.u8();
      const bytes = reader.u32();
      const next = reader.skip(bytes) + bytes;
      reader.at = next - bytes;
      reader.end = next;
      const answerAt = reply.reserve(5);
      const isAnswered = i < done;
      if (!isAnswered) journal.turnTo(i);
      const answer =
        i <= done
          ? this.#again(batch, i, which)
          : this.#call(connection, which, reader, this.#by(connection, first + i));
      reader.at = next;
      if (answer instanceof Promise) {
        // A store is waited for: the rest of the batch goes on from here.
        return answer.then((settled) => {
          this.#answer(answerAt, settled);
          if (!isAnswered) journal.answered(i, settled);
          return this.#from(batch, i + 1);
        });
      }
      this.#answer(answerAt, answer);
      if (!isAnswered) journal.answered(i, answer);
      failpoint('call: answered in the journal');
      const now = performance.now();
      this.#gauges.took(now - before);
      before = now;
    }
    this.#parts.connections.flush();
    const { header } = this.#parts.sessions.table.view;
    header[HEADER.served] = (header[HEADER.served] as number) + 1;
    header[HEADER.workAt] = WORK.nothing;
    failpoint('batch: reply packed');
    const { buffer } = reply.copy();
    return buffer;
  }

  #by({ number, journal, pins }: Connection, call: number): Caller {
    return { connection: number, call, journal, pins };
  }

  // ------------------------------------------------------------ calls that are sent again

  /** Answers a call of a batch that a former manager had begun. What it had done is answered from its journal; what only asks, or harms nothing twice, is done again. */
  #again(batch: Batch, i: number, which: number): Answer | Promise<Answer> {
    const { connection, reader, first, done } = batch;
    const again = () => this.#call(connection, which, reader, this.#by(connection, first + i));
    if (i === done) {
      // No record is left by a sweep: how many it ended, nobody knows.
      return which === CALL.sweep && batch.begun === ((first + i) | 0) ? 'ERR_MANAGER_RESTARTED' : again();
    }
    return isDoneAgain(which) ? again() : recall(this.#reply, this.#parts.sessions.table, batch, i, which);
  }

  #answer(at: number, answer: Answer): void {
    const reply = this.#reply;
    if (answer !== 'done') reply.length = at + 5;
    reply.bytes[at] = ANSWERS.indexOf(answer);
    reply.view.setUint32(at + 1, reply.length - at - 5, true);
  }

  #call(connection: Connection, which: number, from: ByteReader, by: Caller): Answer | Promise<Answer> {
    const { header } = this.#parts.sessions.table.owner;
    header[HEADER.workSlot] = 0;
    header[HEADER.workCall] = by.call | 0;
    // Said before it is looked whether the caller has given up; the caller gives up before it looks what was begun. So at least one sees the other.
    Atomics.store(connection.words, CONNECTION.begun, by.call | 0);
    if (((by.call - Atomics.load(connection.words, CONNECTION.givenUp)) | 0) <= 0) return 'given-up';
    if (this.#stopped) return 'ERR_MANAGER_STOPPED';
    failpoint('call: begun');
    try {
      return this.#do(connection, which, from, by);
    } catch (error) {
      if (error instanceof MalformedBytes) return 'malformed';
      throw error;
    }
  }

  #do(connection: Connection, which: number, from: ByteReader, by: Caller): Answer | Promise<Answer> {
    const { manager, connections } = this.#parts;
    const reply = this.#reply;
    switch (which) {
      case CALL.newSession:
        return this.#keeping.keep(manager.newSession(readNewSession(from, this.#drawn), by));
      case CALL.putSession:
        return this.#keeping.keep(manager.putSession(readNewSession(from, this.#drawn), by));
      case CALL.set: {
        const { target, ifVersion, patch } = readSet(from);
        return this.#keeping.keep(manager.set(target, patch, by, ifVersion));
      }
      case CALL.replace: {
        const { target, ifVersion, data } = readReplace(from);
        return this.#keeping.keep(manager.replace(target, ifVersion, data, by));
      }
      case CALL.take:
        return this.#keeping.keep(manager.take(readTake(from), by));
      case CALL.login:
        return this.#keeping.keep(manager.login(readLogin(from), by));
      case CALL.rotate:
        return this.#keeping.keep(manager.rotate(readRotate(from), by));
      case CALL.setIdleTimeout: {
        const { target, idle } = readSetIdleTimeout(from);
        return this.#keeping.keep(manager.setIdleTimeout(target, idle, by));
      }
      case CALL.close: {
        const { target, terminated, note } = readClose(from);
        return this.#keeping.kept(manager.close(target, terminated, note));
      }
      case CALL.closeSessionByKey:
        return this.#keeping.kept(manager.closeSessionByKey(readCloseByKey(from)));
      case CALL.closeAllSessions:
        reply.u32(manager.closeAllSessions(readCloseAll(from), 'closed', by));
        return 'done';
      case CALL.sweep: {
        const swept = packSwept(manager.sweep(SWEPT_AT_ONCE));
        connection.journal.intendCount(swept);
        reply.u32(swept);
        return 'done';
      }
      case CALL.stats:
        writeStats(reply, this.#gauges.stats(this.#parts));
        return 'done';
      case CALL.sessionsOfUser: {
        const targets = manager.sessionsOfUser(readText(from));
        reply.u32(targets.length);
        for (const target of targets) writeTarget(reply, target);
        return 'done';
      }
      case CALL.watch: {
        const target = readTarget(from);
        if (!manager.isAlive(target)) return 'ERR_SESSION_ENDED';
        connections.watch(connection, target.slot);
        return 'done';
      }
      case CALL.subscribe:
        connections.subscribe(connection, from.u32());
        return 'done';
      case CALL.leave:
        manager.connectionLost(connection.number);
        failpoint('disconnect: links ended');
        connections.subscribe(connection, 0);
        return 'done';
      case CALL.stop:
        this.#stopAsked = true;
        failpoint('stop: asked');
        return 'done';
      default:
        return 'malformed';
    }
  }
}
