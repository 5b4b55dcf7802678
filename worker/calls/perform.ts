/**
 * The calls, one by one: reads the fields of each, asks the rule, writes what it answers. Manager's thread. In the
 * order of src/protocol/calls.ts.
 */

import { type ByteReader, type ByteWriter, MalformedBytes } from '../../src/protocol/bytes.js';
import {
  type Answer,
  CALL,
  packSwept,
  readClose,
  readNewSession,
  readRotate,
  readSetIdleTimeout,
  readTarget,
  readText,
  writeTarget,
} from '../../src/protocol/calls.js';
import { readCloseAll } from '../../src/protocol/close-all.js';
import { readLogin, readReplace, readSet, readTake } from '../../src/protocol/data-calls.js';
import { readCloseByKey } from '../../src/protocol/keyed-calls.js';
import { DIGEST_WORDS, ID_WORDS } from '../../src/protocol/layout.js';
import { writeStats } from '../../src/protocol/stats.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from '../rules/caller.js';
import type { RoomMaking } from '../rules/capacity.js';
import { isPrepared, type Ruling } from '../rules/changes.js';
import type { Steps } from '../table/pace.js';
import type { Connection } from './connections.js';
import type { Gauges } from './gauges.js';
import type { ManagerParts } from './parts.js';

/** Slots that a part of a sweep looks at, and frees. */
const SWEPT_AT_ONCE = 1000;

/** A call that is to be done: its fields, who made it, and where its answer goes. */
export interface Doing {
  readonly connection: Connection;
  readonly which: number;
  /** Stands at the fields, which begin at `fieldsAt`, and ends with them. */
  readonly from: ByteReader;
  readonly fieldsAt: number;
  readonly by: Caller;
  /** Whether nobody waits for the answer any more. */
  readonly isGivenUp: boolean;
  readonly reply: ByteWriter;
  /** Set where the manager shall end once this and what came with it is answered. */
  asksToStop: boolean;
}

/**
 * Calls that are done again where they were done before: questions, and what concerns the connection, of which a
 * successor knows nothing.
 */
const AGAIN: ReadonlySet<number> = new Set([
  CALL.stats,
  CALL.sessionsOfUser,
  CALL.watch,
  CALL.subscribe,
  CALL.leave,
  CALL.stop,
]);

export function isDoneAgain(which: number): boolean {
  return AGAIN.has(which);
}

export class Calls {
  readonly #parts: ManagerParts;
  readonly #gauges: Gauges;
  /** Of the session that is being made: this many arrays take longer to make than the rest of reading it. */
  readonly #drawn = { digest: new Int32Array(DIGEST_WORDS), id: new Int32Array(ID_WORDS) };

  constructor(parts: ManagerParts, gauges: Gauges) {
    this.#parts = parts;
    this.#gauges = gauges;
  }

  /**
   * Does a call; one that takes more than a step allows comes back as what is to be gone on with. Fields that make no
   * call are answered so.
   */
  do(doing: Doing): Answer | Steps<Answer> {
    try {
      return this.#do(doing);
    } catch (error) {
      if (error instanceof MalformedBytes) return 'malformed';
      throw error;
    }
  }

  #do(doing: Doing): Answer | Steps<Answer> {
    const { connection, which, from, by, reply } = doing;
    const { rules, connections } = this.#parts;
    switch (which) {
      case CALL.newSession:
        return this.#apply(doing, rules.newSession(readNewSession(from, this.#drawn), by));
      case CALL.putSession:
        return this.#apply(doing, rules.putSession(readNewSession(from, this.#drawn), by));
      case CALL.set: {
        const { target, ifVersion, patch } = readSet(from);
        return this.#apply(doing, rules.set(target, patch, by, ifVersion));
      }
      case CALL.replace: {
        const { target, ifVersion, data } = readReplace(from);
        return this.#apply(doing, rules.replace(target, ifVersion, data, by));
      }
      case CALL.take:
        return this.#apply(doing, rules.take(readTake(from), by));
      case CALL.login:
        return this.#apply(doing, rules.login(readLogin(from), by));
      case CALL.rotate:
        return this.#apply(doing, rules.rotate(readRotate(from), by));
      case CALL.setIdleTimeout: {
        const { target, idle } = readSetIdleTimeout(from);
        return this.#apply(doing, rules.setIdleTimeout(target, idle, by));
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
          connection.journal.intendCount(swept);
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
        if (!rules.isAlive(target)) return 'ERR_SESSION_ENDED';
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
        doing.asksToStop = true;
        failpoint('stop: asked');
        return 'done';
      default:
        return 'malformed';
    }
  }

  /** Publishes what a rule has prepared. */
  #apply(doing: Doing, ruling: Ruling): Answer | Steps<Answer> {
    if (typeof ruling === 'string') return ruling;
    if (!isPrepared(ruling)) return this.#after(doing, ruling);
    failpoint('call: prepared');
    ruling.apply(doing.reply);
    failpoint('call: applied');
    return 'done';
  }

  /** Makes room, and asks the rule again, from the call's fields on. */
  *#after(doing: Doing, making: RoomMaking): Steps<Answer> {
    const refusal = yield* making;
    if (refusal !== undefined) return refusal;
    if (doing.isGivenUp) return 'given-up';
    doing.from.at = doing.fieldsAt;
    const answer = this.do(doing);
    return typeof answer === 'string' ? answer : yield* answer;
  }
}

/** A call that goes in steps: done at once, if they fit into this one. */
function done<T>(steps: Steps<T>, finish: (result: T) => void): Answer | Steps<Answer> {
  const { done: isDone, value } = steps.next();
  if (!isDone) return goOn(steps, finish);
  finish(value);
  return 'done';
}

function* goOn<T>(steps: Steps<T>, finish: (result: T) => void): Steps<Answer> {
  yield;
  finish(yield* steps);
  return 'done';
}
