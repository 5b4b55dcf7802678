/**
 * The rules that change a session's token: in one step, so that no token is ever without a way, and none that was given
 * up has one. Manager's thread.
 */

import type { RotateCall } from '../../src/protocol/calls.js';
import type { LoginCall } from '../../src/protocol/data-calls.js';
import { DIGEST_WORDS } from '../../src/protocol/layout.js';
import { sameDigest } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { IndexWriter } from '../table/index-writer.js';
import type { TableWriter } from '../table/table.js';
import type { Caller } from './caller.js';
import { type Changes, isPrepared, type Ruling } from './changes.js';
import type { Endings } from './endings.js';
import { type Sessions, userKey } from './sessions.js';

export class TokenChanges {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #table: TableWriter;
  readonly #changes: Changes;
  readonly #now: () => number;

  constructor(sessions: Sessions, endings: Endings, changes: Changes, now: () => number) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#table = sessions.table;
    this.#changes = changes;
    this.#now = now;
  }

  login(call: LoginCall, by: Caller): Ruling {
    const sessions = this.#sessions;
    const table = this.#table;
    const { slot } = call.target;
    if (this.#endings.alive(call.target, true) === 0) return 'ERR_SESSION_ENDED';
    if (table.view.head.isKeyed) return 'ERR_TOKEN_UNKNOWN';
    if (this.#endings.isUsed(call.digest)) return 'used';
    if (this.#endings.alive(call.target, true) === 0) return 'ERR_SESSION_ENDED';
    const before = userKey(table.loadedBody().user);
    failpoint('login: checked');
    const now = this.#now();
    const oldDigest = new Int32Array(DIGEST_WORDS);
    let oldPrevious: Int32Array | undefined;
    const prepared = this.#changes.prepare(call.target, by, {
      joins: before === userKey(call.user) ? undefined : call.user,
      ifVersion: call.ifVersion,
      data: (data) => (call.patch.length === 0 ? undefined : this.#changes.merge(data, call.patch)),
      head: (head) => {
        oldDigest.set(head.digest);
        if (head.hasPrevious) oldPrevious = head.previousDigest.slice();
        const authenticated = Number.isNaN(head.authenticatedAt) ? head.createdAt : head.authenticatedAt;
        head.expiresAt = now + (head.expiresAt - authenticated);
        head.digest.set(call.digest);
        head.hasPrevious = false;
        head.tokenIssuedAt = now;
        head.authenticatedAt = now;
        return call.user;
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        table.digests.insert(call.digest[0] as number, call.digest[1] as number, slot);
        failpoint('login: new digest entered');
        this.#changes.see(slot, now);
        prepared.apply(reply);
        failpoint('login: published');
        this.#forget(table.digests, oldDigest, call.digest, slot);
        failpoint('login: old digest removed');
        if (oldPrevious) table.previous.remove(oldPrevious[0] as number, oldPrevious[1] as number, slot);
        sessions.users.remove(slot);
        sessions.users.add(call.user, slot);
        failpoint('login: user listed anew');
        sessions.reschedule(slot);
        failpoint('login: due anew');
        this.#changes.tell('token-rotated', slot);
      },
    };
  }

  rotate(call: RotateCall, by: Caller): Ruling {
    const table = this.#table;
    const { slot } = call.target;
    if (this.#endings.isUsed(call.to)) return 'used';
    failpoint('rotate: checked');
    const now = this.#now();
    let oldPrevious: Int32Array | undefined;
    const prepared = this.#changes.prepare(call.target, by, {
      head: (head) => {
        if (head.isKeyed) return 'ERR_TOKEN_UNKNOWN';
        if (!sameDigest(head.digest, call.from)) {
          const inGrace = head.hasPrevious && now < head.graceUntil && sameDigest(head.previousDigest, call.from);
          return inGrace ? 'moved' : 'ERR_TOKEN_UNKNOWN';
        }
        if (head.hasPrevious) oldPrevious = head.previousDigest.slice();
        head.hasPrevious = true;
        head.previousDigest.set(call.from);
        head.graceUntil = now + call.grace;
        head.sealed.set(call.sealed);
        head.digest.set(call.to);
        head.tokenIssuedAt = now;
        return undefined;
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        // Both ways are laid before the record is published, the old one is taken up after it: no token is ever without
        // a way.
        table.previous.insert(call.from[0] as number, call.from[1] as number, slot);
        failpoint('rotate: previous digest entered');
        table.digests.insert(call.to[0] as number, call.to[1] as number, slot);
        failpoint('rotate: new digest entered');
        prepared.apply(reply);
        failpoint('rotate: published');
        this.#forget(table.digests, call.from, call.to, slot);
        failpoint('rotate: old digest removed');
        if (oldPrevious) this.#forget(table.previous, oldPrevious, call.from, slot);
        this.#changes.tell('token-rotated', slot);
      },
    };
  }

  /**
   * Takes the way of a digest out of an index. Where the index cannot tell it from the one that has followed it (once in
   * some thousands), it stays until the index is built anew: it leads to a record that does not bear that digest, so
   * nothing is found by it.
   */
  #forget(index: IndexWriter, digest: Int32Array, follower: Int32Array, slot: number): void {
    if (this.#table.sameEntry(digest, follower)) return;
    index.remove(digest[0] as number, digest[1] as number, slot);
  }
}
