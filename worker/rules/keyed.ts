/**
 * The rules of sessions under a caller's own key, for adapters whose ids come from elsewhere. Manager's thread. Part of
 * `Rules`.
 *
 * A key whose session has ended has a tombstone for a while: a late call under that key does not create a session
 * again.
 */

import { sameBytes } from '../../src/protocol/bytes.js';
import type { CloseByKeyCall } from '../../src/protocol/calls.js';
import { type NewSessionCall, type Target, writeTarget } from '../../src/protocol/calls.js';
import { checkEntries } from '../../src/protocol/data/entries.js';
import { HEADER } from '../../src/protocol/layout.js';
import { SessionRecord } from '../../src/protocol/record.js';
import { TOMBSTONE_LIFETIME } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from './caller.js';
import { type Changes, isPrepared, type Ruling } from './changes.js';
import type { Endings } from './endings.js';
import type { Sessions } from './sessions.js';

export class KeyedSessions {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #changes: Changes;
  readonly #now: () => number;
  readonly #record = new SessionRecord();

  constructor(sessions: Sessions, endings: Endings, changes: Changes, now: () => number) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#changes = changes;
    this.#now = now;
  }

  /**
   * Replaces what a live session under the key contains; calls `create` if the key is unknown; refuses a key that has a
   * tombstone.
   */
  put(call: NewSessionCall, by: Caller, create: (call: NewSessionCall) => Ruling): Ruling {
    checkEntries(call.data, false, this.#sessions.table.pace.beat);
    const target = this.targetOf(call.digest);
    failpoint('put: looked up');
    if (target !== undefined) return this.#replace(target, call, by);
    if (this.#sessions.table.tombstones.has(call.digest, this.#now())) return 'ERR_SESSION_ENDED';
    this.#noteKeyed();
    failpoint('put: unknown so far');
    return create({ ...call, linked: false, keyed: true });
  }

  /** The live session under a key. A session that has it and whose timeout has passed is ended. */
  targetOf(digest: Int32Array): Target | undefined {
    const slot = this.#sessions.byDigest(digest);
    if (slot < 0) return undefined;
    const target = { slot, generation: this.#sessions.table.view.generation(slot) };
    const isAlive = this.#endings.loadOrEnd(target, this.#record) !== 0;
    return isAlive && this.#record.isKeyed ? target : undefined;
  }

  #replace(target: Target, call: NewSessionCall, by: Caller): Ruling {
    const sessions = this.#sessions;
    const { slot } = target;
    const now = this.#now();
    let createdAt = 0;
    let hadUser = false;
    let isOther = false;
    const prepared = this.#changes.prepare(target, by, {
      check: (record) => {
        createdAt = record.createdAt;
        hadUser = record.userBytes > 0;
        isOther = !sameBytes(record.user, call.user);
        return undefined;
      },
      user: call.user,
      client: call.client,
      data: () => call.data,
      header: (next) => {
        next.setIdle(call.idle);
        // Counted from the creation: no number of changes lets a session grow older than that.
        next.setExpiresAt(createdAt + call.absolute);
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        this.#changes.see(slot, createdAt, now);
        failpoint('put: marked as seen');
        prepared.apply(reply);
        if (isOther && hadUser) sessions.users.remove(slot);
        if (isOther && call.user.length > 0) sessions.users.add(call.user, slot);
        failpoint('put: user listed anew');
        sessions.reschedule(slot);
        writeTarget(reply, target);
        reply.f64(createdAt);
      },
    };
  }

  /** Notes that there are sessions with a key, so that endings leave tombstones from now on. */
  #noteKeyed(): void {
    const { owner } = this.#sessions.table;
    if (owner.header[HEADER.keyed] === 1) return;
    owner.check();
    owner.header[HEADER.keyed] = 1;
  }

  /**
   * Leaves a tombstone for a key without a live session: a session that is on its way to it comes too late. None if
   * there is one that lasts for at least half the time: closing a key over and over must not push other keys'
   * tombstones out of the ring.
   */
  leaveTombstone({ digest, absolute }: CloseByKeyCall): void {
    const { tombstones } = this.#sessions.table;
    const now = this.#now();
    const lasting = Math.min(absolute, TOMBSTONE_LIFETIME);
    if (!tombstones.has(digest, now + lasting / 2)) tombstones.add(digest, now + lasting);
  }
}
