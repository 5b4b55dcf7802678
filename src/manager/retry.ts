/** Asking the manager again after a refusal, later and later. Used in every thread of the host. */

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/** Runs `again` after a pause that doubles with each refusal. Its timer does not keep the thread alive. */
export class Retry {
  readonly #again: () => void;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(again: () => void) {
    this.#again = again;
  }

  /** Schedules `again`, unless it is scheduled already or no more is asked. */
  schedule(): void {
    if (this.#isOver || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#again();
    }, this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  /** A call was done: the pause after the next refusal is the first again. */
  succeeded(): void {
    this.#pause = FIRST_PAUSE;
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
