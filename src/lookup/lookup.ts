/** Looking a session up: by cookie or id, in shared memory, without a message. Runs in every thread of the host. */

import type { CookieFormat } from '../cookies/format.js';
import type { Target } from '../protocol/calls.js';
import { parseId } from '../protocol/ids.js';
import { DIGEST_WORDS, ENDED, HEADER } from '../protocol/layout.js';
import { sameDigest, type TableView } from '../protocol/table.js';
import type { Carried } from '../session/claim.js';
import type { SessionContext } from '../session/context.js';
import { isKey, keyDigestInto } from '../session/keys.js';
import { SessionHandle } from '../session/session.js';
import type { Wanted } from '../session/snapshot.js';
import { digestInto, unseal } from '../session/tokens.js';
import { Handles, Memo, type MemoEntry } from './handles.js';

export class Lookup {
  readonly handles = new Handles();
  readonly #view: TableView;
  readonly #now: () => number;
  readonly #format: CookieFormat;
  readonly #context: SessionContext;
  readonly #memo = new Memo();
  readonly #keys = new Memo();
  readonly #digest = new Int32Array(DIGEST_WORDS);
  #wanted: Wanted | undefined;
  /** The pointer and kind of the match found last. */
  #pointer = 0;
  #byPrevious = false;

  constructor(view: TableView, now: () => number, format: CookieFormat, context: SessionContext) {
    this.#view = view;
    this.#now = now;
    this.#format = format;
    this.#context = context;
  }

  byCookie(cookie: string, touch: boolean): SessionHandle | undefined {
    return this.entryOf(cookie, touch)?.handle;
  }

  /** As `byCookie`, with what is remembered of the cookie. */
  entryOf(cookie: string, touch: boolean): MemoEntry | undefined {
    const remembered = this.#remembered(this.#memo, cookie, touch);
    if (remembered !== null) return remembered;
    const token = this.#format.tokenOf(cookie, this.#now());
    return token === undefined ? undefined : this.#byDigest(cookie, digestInto(token, this.#digest), token, touch);
  }

  /** The token in a cookie that has just opened a session. */
  carriedBy(cookie: string, entry: MemoEntry): Carried | undefined {
    if (entry.carried !== undefined) return entry.carried;
    const token = this.#format.tokenOf(cookie, this.#now());
    if (token === undefined) return undefined;
    entry.carried = { token: ownText(token), isOutdated: this.#format.isOutdated(cookie) };
    return entry.carried;
  }

  byKey(key: string, touch: boolean): SessionHandle | undefined {
    const remembered = this.#remembered(this.#keys, key, touch);
    if (remembered !== null) return remembered?.handle;
    return isKey(key) ? this.#byDigest(key, keyDigestInto(key, this.#digest), undefined, touch)?.handle : undefined;
  }

  /** What a cookie or key was found to mean before; null if that is not known any more. */
  #remembered(memo: Memo, text: string, touch: boolean): MemoEntry | undefined | null {
    const entry = memo.get(text);
    if (entry === undefined) return null;
    if (this.#isCurrent(entry)) {
      const now = this.#now();
      if (now < entry.until) {
        if (entry.handle.see(now, touch)) return entry;
        // Over; unless it was judged by a record that has been replaced meanwhile. Of a key that says nothing: it may
        // have its next session by now, elsewhere or in the same place, where its record may even bear the same stamp,
        // if a manager's successor found none to count on from.
        if (memo !== this.#keys && this.#isCurrent(entry)) return undefined;
      }
    }
    memo.delete(text);
    return null;
  }

  #isCurrent({ handle, pointer, stampLow, stampHigh }: MemoEntry): boolean {
    return this.#view.isCurrent(handle.slot, pointer, stampLow, stampHigh);
  }

  /** The session with this digest: of a token, or where there is none of a key. Remembered by its text. */
  #byDigest(text: string, digest: Int32Array, token: string | undefined, touch: boolean): MemoEntry | undefined {
    const view = this.#view;
    const { record } = view;
    for (;;) {
      const slot = this.#find(digest, token === undefined);
      if (slot < 0) return undefined;
      const pointer = this.#pointer;
      const now = this.#now();
      const mark = view.liveMark(slot);
      if (mark === ENDED) return undefined;
      const until = this.#byPrevious ? record.graceUntil : Number.POSITIVE_INFINITY;
      if (now >= until || record.endsAt(view.seen(slot, mark)) <= now) {
        // Judged by a record that has been replaced meanwhile: looked up again.
        if (view.pointer(slot) !== pointer) continue;
        if (now >= until) this.#reportReused(slot);
        return undefined;
      }
      const known = this.#byPrevious && token !== undefined ? unseal(token, record.sealed) : token;
      const { stampLow, stampHigh, length: bytes } = record;
      const handle = this.#hold(slot);
      if (handle === undefined) return undefined;
      if (!handle.see(now, touch)) {
        if (view.pointer(slot) !== pointer) continue;
        return undefined;
      }
      if (known !== undefined) handle.learn(known);
      // A copy of its own: a string cut from a header would keep the whole header in memory.
      const memo = token === undefined ? this.#keys : this.#memo;
      const goodUntil = token === undefined ? until : Math.min(until, this.#format.goodUntil(text));
      const entry = { handle, pointer, stampLow, stampHigh, bytes, until: goodUntil, carried: undefined };
      memo.set(ownText(text), entry);
      return entry;
    }
  }

  /**
   * The slot whose record bears this digest, as its current or its previous one; its head is loaded. A key opens no
   * token's session, nor a token a key's.
   */
  #find(digest: Int32Array, keyed: boolean): number {
    const view = this.#view;
    const matches = (slot: number): boolean => {
      const pointer = view.load(slot, false);
      if (pointer === 0) return false;
      const { record } = view;
      if (record.isKeyed !== keyed) return false;
      // A key may have another session, which the one that has ended and is still to be freed shall not hide.
      if (keyed && view.liveMark(slot) === ENDED) return false;
      const isCurrent = sameDigest(record.digest, digest);
      if (!isCurrent && !(record.hasPrevious && sameDigest(record.previousDigest, digest))) return false;
      this.#pointer = pointer;
      this.#byPrevious = !isCurrent;
      return true;
    };
    const keyA = digest[0] as number;
    const keyB = digest[1] as number;
    // A token that is rotated out enters the second index before it leaves the first.
    const slot = view.find('digests', keyA, keyB, matches);
    return slot >= 0 ? slot : view.find('previous', keyA, keyB, matches);
  }

  /** The handle of the session whose head was loaded last; undefined if it has ended since. */
  #hold(slot: number): SessionHandle | undefined {
    const { generation } = this.#view.record;
    const held = this.handles.get(slot, generation);
    const handle = held ?? new SessionHandle(this.#context, slot, generation);
    if (!handle.refresh()) return undefined;
    if (held === undefined) this.handles.add(handle);
    return handle;
  }

  /** The handle of the session that a slot holds; undefined if it holds another, or none, by now. */
  held({ slot, generation }: Target): SessionHandle | undefined {
    const isThere = this.#view.load(slot, false) !== 0 && this.#view.record.generation === generation;
    return isThere ? this.#hold(slot) : undefined;
  }

  /** The most bytes that the data of one session may take. */
  get maxSessionBytes(): number {
    return this.#context.maxSessionBytes;
  }

  /**
   * The handle of a session that this thread has just made. A listener that was told of it first may hold it already.
   */
  newborn(target: Target, token: string, id: Int32Array, createdAt: number, wanted: Wanted): SessionHandle {
    const { slot, generation } = target;
    const held = this.handles.get(slot, generation);
    if (held !== undefined) {
      held.drew(token);
      return held;
    }
    const handle = new SessionHandle(this.#context, slot, generation);
    handle.learn(token);
    handle.born(id, createdAt, this.#shared(wanted));
    this.handles.add(handle);
    return handle;
  }

  /**
   * The same as it was wanted of the session before, where it is: most are wanted alike. Never the caller's own object,
   * which holds the data.
   */
  #shared({ userId, client, idleTimeout, absoluteTimeout }: Wanted): Wanted {
    const last = this.#wanted;
    const alike =
      last?.userId === userId &&
      last?.client === client &&
      last?.idleTimeout === idleTimeout &&
      last?.absoluteTimeout === absoluteTimeout;
    if (last === undefined || !alike) this.#wanted = { userId, client, idleTimeout, absoluteTimeout };
    return this.#wanted as Wanted;
  }

  /** The slot of a live session with this id, and its generation; undefined if there is none. */
  targetOf(id: string): { readonly slot: number; readonly generation: number } | undefined {
    const words = parseId(id);
    if (words === undefined) return undefined;
    const view = this.#view;
    const { record } = view;
    for (;;) {
      let pointer = 0;
      const slot = view.find('ids', words[0] as number, words[1] as number, (candidate) => {
        pointer = view.load(candidate, false);
        return pointer !== 0 && sameDigest(record.id, words);
      });
      if (slot < 0) return undefined;
      const mark = view.liveMark(slot);
      if (mark === ENDED) return undefined;
      if (record.endsAt(view.seen(slot, mark)) > this.#now()) return { slot, generation: record.generation };
      if (view.pointer(slot) === pointer) return undefined;
    }
  }

  byId(id: string): SessionHandle | undefined {
    return this.targetOf(id) === undefined ? undefined : this.#hold(this.#view.record.slot);
  }

  /**
   * Leaves a mark for the sweep: a token came back after its grace. Whose it was stands there first, as the slot may
   * have its next session by now.
   */
  #reportReused(slot: number): void {
    Atomics.store(this.#view.reported, slot, this.#view.record.generation);
    Atomics.or(this.#view.reports, slot >>> 5, 1 << (slot & 31));
    Atomics.add(this.#view.header, HEADER.reports, 1);
  }
}

/** A copy of its own: a string cut from a header would keep the whole header in memory. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
