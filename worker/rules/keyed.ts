/**
 * The rules of sessions under a caller's own key, for adapters whose ids come from elsewhere. Manager's thread. Part of
 * `Rules`.
 *
 * A key whose session has ended has a tombstone for a while: a late call under that key does not create a session
 * again.
 */

import type { CloseByKeyCall } from '../../src/protocol/calls.js';
import { type NewSessionCall, type Target, writeTarget } from '../../src/protocol/calls.js';
import { checkEntries } from '../../src/protocol/data/entries.js';
import { HEADER } from '../../src/protocol/layout.js';
import { TOMBSTONE_LIFETIME } from '../../src/protocol/tombstones.js';
import { failpoint } from '../failpoints.js';
import type { Caller } from './caller.js';
import { type Changes, isPrepared, type Ruling } from './changes.js';
import type { Endings } from './endings.js';
import { type Sessions, userKey } from './sessions.js';

export class KeyedSessions {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #changes: Changes;
  readonly #now: () => number;

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
    const { view } = this.#sessions.table;
    if (slot < 0 || !view.record.isKeyed) return undefined;
    const target = { slot, generation: view.generation(slot) };
    return this.#endings.loadAlive(target, false) === 0 ? undefined : target;
  }

  #replace(target: Target, call: NewSessionCall, by: Caller): Ruling {
    const sessions = this.#sessions;
    const { slot } = target;
    const now = this.#now();
    const before = userKey(sessions.loadedUserBytes());
    const isOther = before !== userKey(call.user);
    let createdAt = 0;
    const prepared = this.#changes.prepare(target, by, {
      joins: isOther && call.user.length > 0 ? call.user : undefined,
      client: call.client,
      data: () => call.data,
      header: (record) => {
        createdAt = record.createdAt;
        record.idle = call.idle;
        // Counted from the creation: no number of changes lets a session grow older than that.
        record.expiresAt = createdAt + call.absolute;
        return call.user;
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        this.#changes.see(slot, now);
        failpoint('put: marked as seen');
        prepared.apply(reply);
        if (isOther && before !== '') sessions.users.remove(slot);
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
