/**
 * The rules that change a session's token. An index entry exists for every token that is honoured, at any moment, and a
 * token that is not honoured any more opens nothing. Manager's thread.
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
import type { Sessions } from './sessions.js';

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
    const now = this.#now();
    const oldDigest = new Int32Array(DIGEST_WORDS);
    let oldPrevious: Int32Array | undefined;
    let createdAt = 0;
    const prepared = this.#changes.prepare(call.target, by, {
      check: (record) => {
        if (record.isKeyed) return 'ERR_TOKEN_UNKNOWN';
        if (!this.#endings.freeDigest(call.digest, slot)) return 'used';
        failpoint('login: checked');
        oldDigest.set(record.digest);
        if (record.hasPrevious) oldPrevious = record.previousDigest.slice();
        createdAt = record.createdAt;
        return undefined;
      },
      ifVersion: call.ifVersion,
      data: (data) => (call.patch.length === 0 ? undefined : this.#changes.merge(data, call.patch)),
      user: call.user,
      header: (next) => {
        next.digest.set(call.digest);
        next.forgetPrevious();
        next.setExpiresAt(now + (next.expiresAt - next.userSince));
        next.setTokenIssuedAt(now);
        next.setAuthenticatedAt(now);
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        table.digests.insert(call.digest, slot);
        failpoint('login: new digest entered');
        this.#changes.see(slot, createdAt, now);
        prepared.apply(reply);
        failpoint('login: published');
        this.#forget(table.digests, oldDigest, call.digest, slot);
        failpoint('login: old digest removed');
        if (oldPrevious) table.previous.remove(oldPrevious, slot);
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
    const now = this.#now();
    let oldPrevious: Int32Array | undefined;
    const prepared = this.#changes.prepare(call.target, by, {
      check: (record) => {
        if (record.isKeyed) return 'ERR_TOKEN_UNKNOWN';
        if (!sameDigest(record.digest, call.from)) {
          const inGrace = record.hasPrevious && now < record.graceUntil && sameDigest(record.previousDigest, call.from);
          return inGrace ? 'moved' : 'ERR_TOKEN_UNKNOWN';
        }
        if (!this.#endings.freeDigest(call.to, slot)) return 'used';
        failpoint('rotate: checked');
        if (record.hasPrevious) oldPrevious = record.previousDigest.slice();
        return undefined;
      },
      header: (next) => {
        next.digest.set(call.to);
        next.setTokenIssuedAt(now);
        next.setPrevious(call.from, now + call.grace, call.sealed);
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        // Both entries are inserted before the record is published, and the old entry is removed after it: a token that
        // is honoured always has an entry.
        table.previous.insert(call.from, slot);
        failpoint('rotate: previous digest entered');
        table.digests.insert(call.to, slot);
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
   * Removes a digest's entry from an index. If its entry equals the one of the digest that followed it (once in some
   * thousand changes), it stays until the index is rebuilt: it leads to a record that does not have the old digest, so
   * no lookup by the old digest succeeds.
   */
  #forget(index: IndexWriter, digest: Int32Array, follower: Int32Array, slot: number): void {
    if (this.#table.sameEntry(digest, follower)) return;
    index.remove(digest, slot);
  }
}
