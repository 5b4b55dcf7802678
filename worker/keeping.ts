/** Between the rules and the store: what a call changes is kept before it is seen, and what it ends is ended before it is kept. Manager's thread. */

import type { ByteWriter } from '../src/protocol/bytes.js';
import type { Answer } from '../src/protocol/calls.js';
import type { Prepared } from './changes.js';
import { failpoint } from './failpoints.js';
import type { SessionStore, StoreChange } from './stores/contract.js';

export class Keeping {
  readonly #store: SessionStore;
  readonly #reply: ByteWriter;

  /** `reply`: what the answers are written to. */
  constructor(store: SessionStore, reply: ByteWriter) {
    this.#store = store;
    this.#reply = reply;
  }

  /** Has the store keep what a rule prepared, and then publishes it. */
  keep(prepared: Prepared | Answer): Answer | Promise<Answer> {
    if (typeof prepared === 'string') return prepared;
    const kept = this.#store.commit(prepared.change);
    failpoint('call: prepared');
    if (kept === undefined) {
      prepared.apply(this.#reply);
      failpoint('call: applied');
      return 'done';
    }
    return kept.then(
      () => {
        prepared.apply(this.#reply);
        return 'done';
      },
      () => {
        prepared.cancel();
        return 'ERR_STORE';
      },
    );
  }

  /** Has the store keep an ending that is published already. */
  kept(change: StoreChange | undefined): Answer | Promise<Answer> {
    const kept = change && this.#store.commit(change);
    if (kept === undefined) return 'done';
    return kept.then(
      () => 'done',
      () => 'ERR_STORE',
    );
  }
}
