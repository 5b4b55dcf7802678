/**
 * The changes that one request has made and that are not done yet: the response waits for them. Runs in every thread of
 * the host.
 */

import { isEnded, withStatus } from '../options/refusal.js';

/** A promise that knows whether anybody has asked for its outcome. */
class TrackedPromise<T> extends Promise<T> {
  isAwaited = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await` and `catch` come through here as well, which is how they are noticed
  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isAwaited = true;
    return super.then(fulfilled, rejected);
  }
}

export class Writes {
  readonly #pending = new Set<Promise<void>>();
  readonly #onLost: (error: unknown) => void;

  constructor(onLost: (error: unknown) => void) {
    this.#onLost = onLost;
  }

  /**
   * Runs a change at once and remembers it until it is settled. If it fails and nobody waits for it, that is told
   * rather than left to end the process as an unhandled rejection: that the session has ended is the client's doing.
   */
  run<T>(change: () => Promise<T>): Promise<T> {
    const tracked = new TrackedPromise<T>((resolve, reject) => {
      change().then(resolve, (error: unknown) => reject(withStatus(error)));
    });
    const settled: Promise<void> = Promise.prototype.then
      .call(tracked, undefined, (error: unknown) => {
        if (!tracked.isAwaited && !isEnded(error)) this.#reportLost(error);
      })
      .then(() => {
        this.#pending.delete(settled);
      });
    this.#pending.add(settled);
    return tracked;
  }

  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** Resolves when all changes are settled, also those that are made meanwhile. */
  async settled(): Promise<void> {
    while (!this.isSettled) await Promise.all(this.#pending);
  }

  #reportLost(error: unknown): void {
    const onLost = this.#onLost;
    callListener(() => onLost(error));
  }
}

/** Calls a listener; what it throws harms nobody but is not hidden either. */
export function callListener(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
