/**
 * The greeting: the first exchange on every port to a manager, also on the port to a successor. Used in every thread.
 */

export interface Hello {
  readonly layoutVersion: number;
  /** CONNECTION words, shared by this thread and the manager. */
  readonly words: SharedArrayBuffer;
  /** See journal.ts. */
  readonly journal: SharedArrayBuffer;
  /**
   * The events that this thread listens to, as bits, and the sessions that it watches, as pairs of slot and generation:
   * a successor has to learn both.
   */
  readonly events: number;
  readonly watched: Int32Array;
}
export type Welcome =
  | {
      readonly accepted: true;
      readonly settings: unknown;
      /**
       * The watched sessions that have ended: slot, generation and the reason's place in REASONS, -1 if it is not
       * known.
       */
      readonly over: Int32Array;
    }
  | { readonly accepted: false; readonly layoutVersion: number };
