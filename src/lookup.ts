/** Looking a session up: by cookie or id, in shared memory, without a message. Runs in every thread of the host. */

import type { CookieFormat } from './cookies.js';
import { Handles, Memo } from './handles.js';
import { parseId } from './protocol/ids.js';
import { DIGEST_WORDS, ENDED, HEADER } from './protocol/layout.js';
import { sameDigest, type TableView } from './protocol/table.js';
import { SessionHandle } from './session.js';
import type { SessionContext } from './session-view.js';
import { digestInto, unseal } from './tokens.js';

export class Lookup {
  readonly handles = new Handles();
  readonly #view: TableView;
  readonly #now: () => number;
  readonly #format: CookieFormat;
  readonly #context: SessionContext;
  readonly #memo = new Memo();
  readonly #digest = new Int32Array(DIGEST_WORDS);
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
    const entry = this.#memo.get(cookie);
    if (entry !== undefined) {
      const { handle } = entry;
      if (this.#view.isCurrent(handle.slot, entry.pointer, entry.stampLow, entry.stampHigh)) {
        const now = this.#now();
        if (now < entry.until) return handle.see(now, touch) ? handle : undefined;
      }
      this.#memo.delete(cookie);
    }
    const token = this.#format.tokenOf(cookie);
    return token === undefined ? undefined : this.#byToken(cookie, token, touch);
  }

  #byToken(cookie: string, token: string, touch: boolean): SessionHandle | undefined {
    const view = this.#view;
    const slot = this.#find(digestInto(token, this.#digest));
    if (slot < 0) return undefined;
    const { head } = view;
    const now = this.#now();
    const mark = view.mark(slot);
    if (mark === ENDED || head.endsAt(view.seen(slot, mark)) <= now) return undefined;
    const until = this.#byPrevious ? head.graceUntil : Number.POSITIVE_INFINITY;
    if (now >= until) {
      this.#reportReused(slot);
      return undefined;
    }
    if (touch && !view.raise(slot, mark, now)) return undefined;
    const known = this.#byPrevious ? unseal(token, head.sealed) : token;
    const pointer = this.#pointer;
    const { stampLow, stampHigh } = head;
    const handle = this.#hold(slot);
    if (known !== undefined) handle.learn(known);
    // A copy of its own: a string cut from a header would keep the whole header in memory.
    this.#memo.set(ownText(cookie), { handle, pointer, stampLow, stampHigh, until });
    return handle;
  }

  /** The slot whose record bears this digest, as its current or its previous one; its head is loaded. */
  #find(digest: Int32Array): number {
    const view = this.#view;
    const matches = (slot: number): boolean => {
      const pointer = view.load(slot, false);
      if (pointer === 0) return false;
      const { head } = view;
      const isCurrent = sameDigest(head.digest, digest);
      if (!isCurrent && !(head.hasPrevious && sameDigest(head.previousDigest, digest))) return false;
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

  /** The handle of the session whose head was loaded last. */
  #hold(slot: number): SessionHandle {
    const { head } = this.#view;
    const held = this.handles.get(slot, head.generation);
    if (held !== undefined) {
      held.refresh();
      return held;
    }
    const handle = new SessionHandle(this.#context, slot, head.generation);
    handle.refresh();
    this.handles.add(handle);
    return handle;
  }

  /** The slot of a live session with this id, and its generation; undefined if there is none. */
  targetOf(id: string): { readonly slot: number; readonly generation: number } | undefined {
    const words = parseId(id);
    if (words === undefined) return undefined;
    const view = this.#view;
    const slot = view.find('ids', words[0] as number, words[1] as number, (candidate) => {
      return view.load(candidate, false) !== 0 && sameDigest(view.head.id, words);
    });
    if (slot < 0) return undefined;
    const mark = view.mark(slot);
    if (mark === ENDED || view.head.endsAt(view.seen(slot, mark)) <= this.#now()) return undefined;
    return { slot, generation: view.head.generation };
  }

  byId(id: string): SessionHandle | undefined {
    return this.targetOf(id) === undefined ? undefined : this.#hold(this.#view.head.slot);
  }

  /** Leaves a mark for the sweep: a token came back after its grace. */
  #reportReused(slot: number): void {
    Atomics.or(this.#view.reports, slot >>> 5, 1 << (slot & 31));
    Atomics.add(this.#view.header, HEADER.reports, 1);
  }
}

function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
