/** Looking up a session by cookie, key or id: in shared memory, without a message. Runs in every thread of the host. */

import type { CookieFormat } from '../cookies/format.js';
import type { Target } from '../protocol/calls.js';
import { parseId } from '../protocol/ids.js';
import { DIGEST_WORDS, ENDED, HEADER } from '../protocol/layout.js';
import { SessionRecord } from '../protocol/record.js';
import { sameDigest, type TableView } from '../protocol/table.js';
import type { PresentedToken } from '../session/claim.js';
import type { SessionContext } from '../session/context.js';
import { isKey, keyDigestInto } from '../session/keys.js';
import { SessionHandle } from '../session/session.js';
import type { RequestedSession } from '../session/snapshot.js';
import { digestInto, unseal } from '../session/tokens.js';
import type { Handles } from './handles.js';
import { Memo, type MemoEntry } from './memo.js';

export class Lookup {
  readonly #view: TableView;
  readonly #now: () => number;
  readonly #format: CookieFormat;
  readonly #context: SessionContext;
  readonly #handles: Handles;
  readonly #memo = new Memo();
  readonly #keys = new Memo();
  readonly #digest = new Int32Array(DIGEST_WORDS);
  #lastRequested: RequestedSession | undefined;
  /** What the search under way has found: the record, its pointer, and whether it matched by its previous digest. */
  readonly #record = new SessionRecord();
  #pointer = 0;
  #byPrevious = false;

  constructor(view: TableView, now: () => number, format: CookieFormat, context: SessionContext, handles: Handles) {
    this.#view = view;
    this.#now = now;
    this.#format = format;
    this.#context = context;
    this.#handles = handles;
  }

  byCookie(cookie: string, touch: boolean): SessionHandle | undefined {
    return this.entryOf(cookie, touch)?.handle;
  }

  /** As `byCookie`, but returns the memo's entry. */
  entryOf(cookie: string, touch: boolean): MemoEntry | undefined {
    const known = this.#fromMemo(this.#memo, cookie, touch);
    if (known !== null) return known;
    const token = this.#format.tokenOf(cookie, this.#now());
    return token === undefined ? undefined : this.#byDigest(cookie, digestInto(token, this.#digest), token, touch);
  }

  /** The token in a cookie that was just looked up. */
  presentedToken(cookie: string, entry: MemoEntry): PresentedToken | undefined {
    if (entry.presented !== undefined) return entry.presented;
    const token = this.#format.tokenOf(cookie, this.#now());
    if (token === undefined) return undefined;
    entry.presented = { token: ownText(token), isOutdated: this.#format.isOutdated(cookie) };
    return entry.presented;
  }

  byKey(key: string, touch: boolean): SessionHandle | undefined {
    const known = this.#fromMemo(this.#keys, key, touch);
    if (known !== null) return known?.handle;
    return isKey(key) ? this.#byDigest(key, keyDigestInto(key, this.#digest), undefined, touch)?.handle : undefined;
  }

  /**
   * The entry that is stored for a cookie or key, if it is still current; undefined if the session has ended; null if
   * the memo does not know.
   */
  #fromMemo(memo: Memo, text: string, touch: boolean): MemoEntry | undefined | null {
    const entry = memo.get(text);
    if (entry === undefined) return null;
    if (this.#isCurrent(entry)) {
      const now = this.#now();
      if (now < entry.until) {
        if (isLive(entry.handle, now, touch)) return entry;
        // Ended, unless the record was replaced in the meantime. A key is looked up again in any case: it may have its
        // next session already, in another slot or in the same one, even with the same stamp, if the manager's
        // successor found no stamp to continue from.
        if (memo !== this.#keys && this.#isCurrent(entry)) return undefined;
      }
    }
    memo.delete(text);
    return null;
  }

  #isCurrent({ handle, pointer, stampLow, stampHigh }: MemoEntry): boolean {
    return this.#view.isCurrent(handle.slot, pointer, stampLow, stampHigh);
  }

  /**
   * The session with this digest, which is that of `token`, or of a key if `token` is undefined. Stored in the memo
   * under `text`.
   */
  #byDigest(text: string, digest: Int32Array, token: string | undefined, touch: boolean): MemoEntry | undefined {
    const view = this.#view;
    const record = this.#record;
    for (;;) {
      if (!this.#find(digest, token === undefined)) return undefined;
      const pointer = this.#pointer;
      const { slot } = record;
      const now = this.#now();
      const until = this.#byPrevious ? record.graceUntil : Number.POSITIVE_INFINITY;
      if (now >= until) {
        if (view.liveMark(record) === ENDED) return undefined;
        // The record was replaced in the meantime: look it up again.
        if (view.pointer(slot) !== pointer) continue;
        this.#reportReused(record);
        return undefined;
      }
      const known = this.#byPrevious && token !== undefined ? unseal(token, record.sealed) : token;
      const { stampLow, stampHigh, length: bytes } = record;
      const handle = this.#handleOf(record, pointer);
      if (handle === undefined) return undefined;
      if (!isLive(handle, now, touch)) {
        if (view.pointer(slot) !== pointer) continue;
        return undefined;
      }
      if (known !== undefined) handle.learnToken(known);
      // A copy, as a string cut from a header would keep the whole header in memory.
      const memo = token === undefined ? this.#keys : this.#memo;
      const goodUntil = token === undefined ? until : Math.min(until, this.#format.goodUntil(text));
      const entry = { handle, pointer, stampLow, stampHigh, bytes, until: goodUntil, presented: undefined };
      memo.set(ownText(text), entry);
      return entry;
    }
  }

  /**
   * Searches the record that has this digest, as its current or its previous one. `keyed` keeps keys and tokens apart:
   * neither finds a session of the other kind.
   */
  #find(digest: Int32Array, keyed: boolean): boolean {
    const view = this.#view;
    const record = this.#record;
    const matches = (slot: number): boolean => {
      const pointer = view.load(slot, record);
      if (pointer === 0 || record.isKeyed !== keyed) return false;
      // An ended session that is not freed yet must not hide the next one under the same key.
      if (keyed && view.liveMark(record) === ENDED) return false;
      const isCurrent = sameDigest(record.digest, digest);
      if (!isCurrent && !(record.hasPrevious && sameDigest(record.previousDigest, digest))) return false;
      this.#pointer = pointer;
      this.#byPrevious = !isCurrent;
      return true;
    };
    const keyA = digest[0] as number;
    const keyB = digest[1] as number;
    // A rotated token enters the second index before it leaves the first: searched in this order, it is never missed.
    return view.find('digests', keyA, keyB, matches) >= 0 || view.find('previous', keyA, keyB, matches) >= 0;
  }

  /** The handle of the session whose record was loaded from `pointer`; undefined if it has ended since. */
  #handleOf(record: SessionRecord, pointer: number): SessionHandle | undefined {
    const { slot, generation } = record;
    const existing = this.#handles.get(slot, generation);
    const handle = existing ?? new SessionHandle(this.#context, slot, generation);
    if (!handle.learn(record, pointer)) return undefined;
    if (existing === undefined) this.#handles.add(handle);
    return handle;
  }

  /** The handle of this session; undefined if its slot holds another one, or none. */
  handleOf({ slot, generation }: Target): SessionHandle | undefined {
    const record = this.#record;
    const pointer = this.#view.load(slot, record);
    return pointer !== 0 && record.generation === generation ? this.#handleOf(record, pointer) : undefined;
  }

  /** The largest size of one session's data, in bytes. */
  get maxSessionBytes(): number {
    return this.#context.maxSessionBytes;
  }

  /** The handle of a session that this thread has just made. A listener of 'created' may have looked it up already. */
  created(
    target: Target,
    token: string,
    id: Int32Array,
    createdAt: number,
    requested: RequestedSession,
  ): SessionHandle {
    const { slot, generation } = target;
    const existing = this.#handles.get(slot, generation);
    if (existing !== undefined) {
      existing.learnDrawnToken(token);
      return existing;
    }
    const handle = new SessionHandle(this.#context, slot, generation);
    handle.learnToken(token);
    handle.initialize(id, createdAt, this.#shared(requested));
    this.#handles.add(handle);
    return handle;
  }

  /**
   * The values of the session before, if they are the same: most sessions are created alike, and share one object.
   * Never the caller's own object, as that refers to the data.
   */
  #shared({ userId, client, idleTimeout, absoluteTimeout }: RequestedSession): RequestedSession {
    const last = this.#lastRequested;
    const alike =
      last?.userId === userId &&
      last?.client === client &&
      last?.idleTimeout === idleTimeout &&
      last?.absoluteTimeout === absoluteTimeout;
    if (last === undefined || !alike) this.#lastRequested = { userId, client, idleTimeout, absoluteTimeout };
    return this.#lastRequested as RequestedSession;
  }

  /** The slot and generation of the live session with this id; undefined if there is none. */
  targetOf(id: string): Target | undefined {
    return this.#findById(id) ? { slot: this.#record.slot, generation: this.#record.generation } : undefined;
  }

  byId(id: string): SessionHandle | undefined {
    return this.#findById(id) ? this.#handleOf(this.#record, this.#pointer) : undefined;
  }

  /** Searches the record of the live session with this id. */
  #findById(id: string): boolean {
    const words = parseId(id);
    if (words === undefined) return false;
    const view = this.#view;
    const record = this.#record;
    for (;;) {
      const slot = view.find('ids', words[0] as number, words[1] as number, (candidate) => {
        this.#pointer = view.load(candidate, record);
        return this.#pointer !== 0 && sameDigest(record.id, words);
      });
      if (slot < 0) return false;
      const mark = view.liveMark(record);
      if (mark === ENDED) return false;
      if (record.endsAt(view.seen(record, mark)) > this.#now()) return true;
      if (view.pointer(slot) === this.#pointer) return false;
    }
  }

  /**
   * Reports to the sweep that a token came back after its grace. The generation is stored first, as the slot may be
   * allocated anew before the sweep reads the report.
   */
  #reportReused({ slot, generation }: SessionRecord): void {
    Atomics.store(this.#view.reported, slot, generation);
    Atomics.or(this.#view.reports, slot >>> 5, 1 << (slot & 31));
    Atomics.add(this.#view.header, HEADER.reports, 1);
  }
}

/** Whether the session is alive at `now`. If `touch` is set, it is marked as seen. */
function isLive(handle: SessionHandle, now: number, touch: boolean): boolean {
  return touch ? handle.see(now) : handle.isAliveAt(now);
}

/** A copy, as a string cut from a header would keep the whole header in memory. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
