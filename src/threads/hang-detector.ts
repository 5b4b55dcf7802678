/**
 * Decides from periodic looks at the heartbeat whether a manager's thread hangs or fails to start. Pure: the caller
 * passes the time and the heartbeat of each look. Used by the supervisor, in the thread that started the manager.
 *
 * Only time in which the looking thread ran is counted. Looks are due every TICK. A late look shows that this thread or
 * the whole machine was held up, so the time since the look before counts as one TICK at most. A host that was blocked,
 * or a process that was suspended for minutes, thus adds 0.1 s, after which a healthy manager has beaten again. A host
 * whose every look is late still detects a hang, after ten looks without a beat.
 */

/** Milliseconds between two looks. */
export const TICK = 100;
/** How long the heartbeat may stand still, in milliseconds in which the looking thread ran. */
const HUNG_AFTER = 1000;

export type Verdict = 'hung' | 'not started';

export class HangDetector {
  #lookedAt: number;
  #beat = 0;
  #stillFor = 0;
  #startingFor = 0;
  #startTimeout = 0;
  #hasBeaten = false;
  #isRunning = false;

  constructor(now: number) {
    this.#lookedAt = now;
  }

  /**
   * A manager was started. `beat` is the heartbeat before its first beat, `startTimeout` how many milliseconds it may
   * take to come up.
   */
  started(beat: number, startTimeout: number): void {
    this.#beat = beat;
    this.#stillFor = 0;
    this.#startingFor = 0;
    this.#startTimeout = startTimeout;
    this.#hasBeaten = false;
    this.#isRunning = false;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** The manager has reported that it is up. */
  running(): void {
    this.#isRunning = true;
  }

  /**
   * One look. Until the first beat only the start timeout counts, as loading the modules may take longer than
   * HUNG_AFTER. A verdict is repeated at every look until another manager is started.
   */
  look(now: number, beat: number): Verdict | undefined {
    const ran = Math.min(now - this.#lookedAt, TICK);
    this.#lookedAt = now;
    if (!this.#isRunning) this.#startingFor += ran;
    if (beat !== this.#beat) {
      this.#beat = beat;
      this.#hasBeaten = true;
      this.#stillFor = 0;
    } else if (this.#hasBeaten) this.#stillFor += ran;
    if (this.#stillFor >= HUNG_AFTER) return 'hung';
    return this.#startingFor >= this.#startTimeout && !this.#isRunning ? 'not started' : undefined;
  }
}
