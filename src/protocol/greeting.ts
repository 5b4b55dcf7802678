/**
 * How a thread and a manager greet each other: the first exchange on every port, that to a successor included. Used in
 * every thread.
 */

export interface Hello {
  readonly layoutVersion: number;
  /** CONNECTION words, shared by this thread and the manager. */
  readonly words: SharedArrayBuffer;
  /** See journal.ts. */
  readonly journal: SharedArrayBuffer;
  /**
   * What this thread listens to, as bits, and the sessions that it watches, as pairs of slot and generation: so that a
   * successor knows.
   */
  readonly events: number;
  readonly watched: Int32Array;
}
export type Welcome =
  | {
      readonly accepted: true;
      readonly settings: unknown;
      /**
       * Of the sessions watched those that have ended: slot, generation and the reason's place in REASONS, -1 where it
       * is not known.
       */
      readonly over: Int32Array;
    }
  | { readonly accepted: false; readonly layoutVersion: number };
