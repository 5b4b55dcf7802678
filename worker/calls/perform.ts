/**
 * Decodes each call's fields, asks the rule, and writes the answer, in the order of src/protocol/calls.ts. Manager's
 * thread.
 */

import { type ByteReader, type ByteWriter, MalformedBytes } from '../../src/protocol/bytes.js';
import {
  type Answer,
  CALL,
  packSwept,
  readClose,
  readCloseAll,
  readCloseByKey,
  readNewSession,
  readRotate,
  readSetIdleTimeout,
  readTarget,
  readText,
  writeTarget,
} from '../../src/protocol/calls.js';
import { readLogin, readReplace, readSet, readTake } from '../../src/protocol/data-calls.js';
import { DIGEST_WORDS, ID_WORDS } from '../../src/protocol/layout.js';
import { writeStats } from '../../src/protocol/stats.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from '../rules/caller.js';
import type { CapacityWork } from '../rules/capacity.js';
import { isPrepared, type Ruling } from '../rules/changes.js';
import type { Steps } from '../table/pace.js';
import type { CallerConnection } from './connections.js';
import type { Gauges } from './gauges.js';
import type { ManagerParts } from './parts.js';

/** Slots that one part of a sweep visits, and frees. */
const SWEPT_AT_ONCE = 1000;

/** A call that is being done: its fields, who made it, and where its answer goes. */
export interface PendingCall {
  readonly connection: CallerConnection;
  readonly which: number;
  /** Positioned at the fields, which begin at `fieldsAt`; ends with them. */
  readonly from: ByteReader;
  readonly fieldsAt: number;
  readonly by: Caller;
  /** Whether nobody waits for the answer any more. */
  readonly isGivenUp: boolean;
  readonly reply: ByteWriter;
  /** Set if the manager has to stop once this batch is answered. */
  asksToStop: boolean;
}

/**
 * Calls that are done again, not answered from the journal: questions, and calls about the connection, whose effect a
 * successor does not know.
 */
const REPEATABLE: ReadonlySet<number> = new Set([
  CALL.stats,
  CALL.sessionsOfUser,
  CALL.watch,
  CALL.subscribe,
  CALL.leave,
  CALL.stop,
]);

export function isRepeatable(which: number): boolean {
  return REPEATABLE.has(which);
}

export class Calls {
  readonly #parts: ManagerParts;
  readonly #gauges: Gauges;
  /**
   * For the session that is being created. Reused, because creating these arrays takes longer than decoding the rest.
   */
  readonly #scratch = { digest: new Int32Array(DIGEST_WORDS), id: new Int32Array(ID_WORDS) };

  constructor(parts: ManagerParts, gauges: Gauges) {
    this.#parts = parts;
    this.#gauges = gauges;
  }

  /**
   * Does a call. A call that takes more than a step is returned as steps. Fields that are not those of any call are
   * answered with 'malformed'.
   */
  do(pending: PendingCall): Answer | Steps<Answer> {
    try {
      return this.#do(pending);
    } catch (error) {
      if (error instanceof MalformedBytes) return 'malformed';
      throw error;
    }
  }

  #do(pending: PendingCall): Answer | Steps<Answer> {
    const { connection, which, from, by, reply } = pending;
    const { rules, connections } = this.#parts;
    switch (which) {
      case CALL.newSession:
        return this.#apply(pending, rules.newSession(readNewSession(from, this.#scratch), by));
      case CALL.putSession:
        return this.#apply(pending, rules.putSession(readNewSession(from, this.#scratch), by));
      case CALL.set: {
        const { target, ifVersion, patch } = readSet(from);
        return this.#apply(pending, rules.set(target, patch, by, ifVersion));
      }
      case CALL.replace: {
        const { target, ifVersion, data } = readReplace(from);
        return this.#apply(pending, rules.replace(target, ifVersion, data, by));
      }
      case CALL.take:
        return this.#apply(pending, rules.take(readTake(from), by));
      case CALL.login:
        return this.#apply(pending, rules.login(readLogin(from), by));
      case CALL.rotate:
        return this.#apply(pending, rules.rotate(readRotate(from), by));
      case CALL.setIdleTimeout: {
        const { target, idle } = readSetIdleTimeout(from);
        return this.#apply(pending, rules.setIdleTimeout(target, idle, by));
      }
      case CALL.close: {
        const { target, terminated, note } = readClose(from);
        rules.close(target, terminated, note);
        return 'done';
      }
      case CALL.closeSessionByKey:
        rules.closeSessionByKey(readCloseByKey(from));
        return 'done';
      case CALL.closeAllSessions:
        return done(rules.closeAllSessions(readCloseAll(from), 'closed', by), (count) => reply.u32(count));
      case CALL.sweep:
        return done(rules.sweep(SWEPT_AT_ONCE), (part) => {
          const swept = packSwept(part);
          connection.journal.noteCount(swept);
          reply.u32(swept);
        });
      case CALL.stats:
        writeStats(reply, this.#gauges.stats(this.#parts));
        return 'done';
      case CALL.sessionsOfUser: {
        const user = readText(from);
        const countAt = reply.reserve(4);
        return done(
          rules.sessionsOfUser(user, (target) => writeTarget(reply, target)),
          (count) => reply.view.setUint32(countAt, count, true),
        );
      }
      case CALL.watch: {
        const target = readTarget(from);
        if (rules.endIfOver(target)) return 'ERR_SESSION_ENDED';
        connections.watch(connection, target.slot);
        return 'done';
      }
      case CALL.subscribe:
        connections.subscribe(connection, from.u32());
        return 'done';
      case CALL.leave:
        return done(rules.connectionLost(connection.number), () => {
          failpoint('disconnect: links ended');
          connections.subscribe(connection, 0);
        });
      case CALL.stop:
        pending.asksToStop = true;
        failpoint('stop: asked');
        return 'done';
      default:
        return 'malformed';
    }
  }

  /** Publishes what a rule has prepared. */
  #apply(pending: PendingCall, ruling: Ruling): Answer | Steps<Answer> {
    if (typeof ruling === 'string') return ruling;
    if (!isPrepared(ruling)) return this.#retryAfter(pending, ruling);
    failpoint('call: prepared');
    ruling.apply(pending.reply);
    failpoint('call: applied');
    return 'done';
  }

  /** Does the work that a rule needs first, then decodes the call and asks the rule again. */
  *#retryAfter(pending: PendingCall, work: CapacityWork): Steps<Answer> {
    const refusal = yield* work;
    if (refusal !== undefined) return refusal;
    if (pending.isGivenUp) return 'given-up';
    pending.from.at = pending.fieldsAt;
    const answer = this.do(pending);
    return typeof answer === 'string' ? answer : yield* answer;
  }
}

/** Work in steps: done at once if it fits into the current step. */
function done<T>(steps: Steps<T>, finish: (result: T) => void): Answer | Steps<Answer> {
  const { done: isDone, value } = steps.next();
  if (!isDone) return continueSteps(steps, finish);
  finish(value);
  return 'done';
}

function* continueSteps<T>(steps: Steps<T>, finish: (result: T) => void): Steps<Answer> {
  yield;
  finish(yield* steps);
  return 'done';
}
