/**
 * The rules of sessions under a caller's own key: for adapters whose ids are drawn elsewhere. Manager's thread. Part of
 * `Manager`.
 *
 * A key whose session has ended is buried for a while: what still comes for it then is late, and revives nothing.
 */

import { type NewSessionCall, type Target, writeTarget } from '../../src/protocol/calls.js';
import { checkEntries } from '../../src/protocol/data/entries.js';
import type { CloseByKeyCall } from '../../src/protocol/keyed-calls.js';
import { HEADER } from '../../src/protocol/layout.js';
import { BURIED_FOR } from '../../src/protocol/tombstones.js';
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
   * Replaces what a live session under the key holds; has one `created` where the key is unknown; refuses a buried one.
   */
  put(call: NewSessionCall, by: Caller, create: (call: NewSessionCall) => Ruling): Ruling {
    checkEntries(call.data, false, this.#sessions.table.pace.goesOn);
    const target = this.targetOf(call.digest);
    failpoint('put: looked up');
    if (target !== undefined) return this.#replace(target, call, by);
    if (this.#sessions.table.buried.has(call.digest, this.#now())) return 'ERR_SESSION_ENDED';
    this.#noteKeyed();
    failpoint('put: unknown so far');
    return create({ ...call, linked: false, keyed: true });
  }

  /** The live session under a key; one that had it and whose time is over ends here. */
  targetOf(digest: Int32Array): Target | undefined {
    const slot = this.#sessions.byDigest(digest);
    const { view } = this.#sessions.table;
    if (slot < 0 || !view.head.isKeyed) return undefined;
    const target = { slot, generation: view.generation(slot) };
    return this.#endings.alive(target, false) === 0 ? undefined : target;
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
      head: (head) => {
        createdAt = head.createdAt;
        head.idle = call.idle;
        // From its beginning on: no number of changes lets a session grow older than that.
        head.expiresAt = createdAt + call.absolute;
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

  /** Says that endings have keys to bury from now on. */
  #noteKeyed(): void {
    const { owner } = this.#sessions.table;
    if (owner.header[HEADER.keyed] === 1) return;
    owner.check();
    owner.header[HEADER.keyed] = 1;
  }

  /**
   * Buries a key that has no live session: one that is on its way comes too late. Not again where it is buried for half
   * the time or longer, so that closing it over and over pushes no others out of the ring.
   */
  bury({ digest, absolute }: CloseByKeyCall): void {
    const { buried } = this.#sessions.table;
    const now = this.#now();
    const lasting = Math.min(absolute, BURIED_FOR);
    if (!buried.has(digest, now + lasting / 2)) buried.add(digest, now + lasting);
  }
}
