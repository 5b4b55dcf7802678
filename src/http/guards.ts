/** Which guard a response has, without a mark on the response: see `node-response.ts`. Runs in every thread of the host. */

import type { ServerResponse } from 'node:http';

interface Guard {
  readonly response: ServerResponse;
}

const LEAST_TO_SWEEP = 64;

/**
 * The guards of the responses that have not ended, each the one that came last. Not held weakly: that would cost every collection of garbage more than all else that is done
 * here for a request. Those whose clients went away before an answer are swept out whenever there are twice as many as were left last time.
 */
export class Guards<G extends Guard> {
  /** The one that came last. Most responses end before the next request comes: those are never among the others. */
  #youngest: G | undefined;
  readonly #others = new Map<ServerResponse, G>();
  #sweepAt = LEAST_TO_SWEEP;

  of(response: ServerResponse): G | undefined {
    const youngest = this.#youngest;
    if (youngest?.response === response) return youngest;
    return this.#others.size === 0 ? undefined : this.#others.get(response);
  }

  set(guard: G): void {
    const before = this.#youngest;
    this.#youngest = guard;
    if (this.#others.size > 0) this.#others.delete(guard.response);
    if (before === undefined || before.response === guard.response) return;
    this.#others.set(before.response, before);
    if (this.#others.size > this.#sweepAt) this.#sweep();
  }

  delete(response: ServerResponse): void {
    if (this.#youngest?.response === response) this.#youngest = undefined;
    else this.#others.delete(response);
  }

  #sweep(): void {
    for (const response of this.#others.keys()) {
      if (response.destroyed || response.writableEnded) this.#others.delete(response);
    }
    this.#sweepAt = Math.max(LEAST_TO_SWEEP, 2 * this.#others.size);
  }
}
