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
  readClose,
  readCloseAll,
  readLogin,
  readNewSession,
  readReplace,
  readRotate,
  readSet,
  readSetIdleTimeout,
  readTake,
  readTarget,
  readText,
  writeTarget,
} from '../src/protocol/calls.js';
import { DIGEST_WORDS, ID_WORDS } from '../src/protocol/layout.js';
import { writeStats } from '../src/protocol/stats.js';
import type { Caller, Prepared } from './changes.js';
import type { Connection, Connections } from './connections.js';
import type { Endings } from './endings.js';
import { Gauges } from './gauges.js';
import type { Manager } from './manager.js';
import type { Sessions } from './sessions.js';
import type { SessionStore, StoreChange } from './stores/contract.js';

export interface ManagerParts {
  readonly manager: Manager;
  readonly sessions: Sessions;
  readonly endings: Endings;
  readonly connections: Connections;
  readonly store: SessionStore;
  readonly bytesReserved: number;
  /** Called once, when a thread has asked for the end and what had arrived by then is done. */
  readonly stop: () => Promise<void>;
}

export class Executor {
  readonly #parts: ManagerParts;
  readonly #reply = new ByteWriter();
  readonly #gauges = new Gauges();
  /** Of the session that is being made: calls are done one at a time, and this many arrays take longer to make than the rest of reading it. */
  readonly #drawn = { digest: new Int32Array(DIGEST_WORDS), id: new Int32Array(ID_WORDS) };
  /** What has to be over before the next batch or sweep may begin; undefined where nothing is waited for. */
  #underWay: Promise<unknown> | undefined;
  #stopAsked = false;
  #stopping: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: ManagerParts) {
    this.#parts = parts;
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

  /** Runs something that must not meet a call half done: at once, or after what is under way. */
  alone<T>(work: () => T | Promise<T>): T | Promise<T> {
    if (this.#underWay !== undefined) return this.#wait(this.#underWay.then(work));
    const result = work();
    return result instanceof Promise ? this.#wait(result) : result;
  }

  #wait<T>(result: Promise<T>): Promise<T> {
    const over = result.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay = over;
    over.then(() => {
      if (this.#underWay === over) this.#underWay = undefined;
    });
    return result;
  }

  #begin(connection: Connection, batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
    const reader = new ByteReader(new Uint8Array(batch));
    const reply = this.#reply;
    reply.reset();
    const first = reader.f64();
    const count = reader.u32();
    reply.u32(count);
    try {
      return this.#from(connection, reader, first, count, 0);
    } catch (error) {
      this.#parts.connections.flush();
      throw error;
    }
  }

  #from(
    connection: Connection,
    reader: ByteReader,
    first: number,
    count: number,
    start: number,
  ): ArrayBuffer | Promise<ArrayBuffer> {
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
      const answer = this.#call(connection, which, reader, { connection: connection.number, call: first + i });
      reader.at = next;
      if (answer instanceof Promise) {
        // A store is waited for: the rest of the batch goes on from here.
        return answer.then((settled) => {
          this.#answer(answerAt, settled);
          return this.#from(connection, reader, first, count, i + 1);
        });
      }
      this.#answer(answerAt, answer);
      const now = performance.now();
      this.#gauges.took(now - before);
      before = now;
    }
    this.#parts.connections.flush();
    const { buffer } = reply.copy();
    return buffer;
  }

  #answer(at: number, answer: Answer): void {
    const reply = this.#reply;
    if (answer !== 'done') reply.length = at + 5;
    reply.bytes[at] = ANSWERS.indexOf(answer);
    reply.view.setUint32(at + 1, reply.length - at - 5, true);
  }

  #call(connection: Connection, which: number, from: ByteReader, by: Caller): Answer | Promise<Answer> {
    // Said before it is looked whether the caller has given up; the caller gives up before it looks what was begun. So at least one sees the other.
    Atomics.store(connection.words, CONNECTION.begun, by.call | 0);
    if (((by.call - Atomics.load(connection.words, CONNECTION.givenUp)) | 0) <= 0) return 'given-up';
    if (this.#stopped) return 'ERR_MANAGER_STOPPED';
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
        return this.#keep(manager.newSession(readNewSession(from, this.#drawn), by));
      case CALL.set: {
        const { target, patch } = readSet(from);
        return this.#keep(manager.set(target, patch, by));
      }
      case CALL.replace: {
        const { target, ifVersion, data } = readReplace(from);
        return this.#keep(manager.replace(target, ifVersion, data, by));
      }
      case CALL.take: {
        const { target, key } = readTake(from);
        return this.#keep(manager.take(target, key, by));
      }
      case CALL.login:
        return this.#keep(manager.login(readLogin(from), by));
      case CALL.rotate:
        return this.#keep(manager.rotate(readRotate(from), by));
      case CALL.setIdleTimeout: {
        const { target, idle } = readSetIdleTimeout(from);
        return this.#keep(manager.setIdleTimeout(target, idle, by));
      }
      case CALL.close: {
        const { target, terminated, note } = readClose(from);
        return this.#kept(manager.close(target, terminated, note));
      }
      case CALL.closeAllSessions:
        reply.u32(manager.closeAllSessions(readCloseAll(from)));
        return 'done';
      case CALL.sweep:
        reply.u32(manager.sweep());
        return 'done';
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
        connections.subscribe(connection, 0);
        return 'done';
      case CALL.stop:
        this.#stopAsked = true;
        return 'done';
      default:
        return 'malformed';
    }
  }

  /** Has the store keep what a rule prepared, and then publishes it. */
  #keep(prepared: Prepared | Answer): Answer | Promise<Answer> {
    if (typeof prepared === 'string') return prepared;
    const kept = this.#parts.store.commit(prepared.change);
    if (kept === undefined) {
      prepared.apply(this.#reply);
      return 'done';
    }
    return kept.then(
      () => {
        prepared.apply(this.#reply);
        return 'done';
      },
      () => {
        prepared.cancel();
        return 'ERR_STORE';
      },
    );
  }

  /** Has the store keep an ending that is published already. */
  #kept(change: StoreChange | undefined): Answer | Promise<Answer> {
    const kept = change && this.#parts.store.commit(change);
    if (kept === undefined) return 'done';
    return kept.then(
      () => 'done',
      () => 'ERR_STORE',
    );
  }
}
