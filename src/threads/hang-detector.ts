/**
 * Decides whether a manager's thread hangs or fails to start, from looks at its heartbeat. Pure: the caller passes the
 * time and the heartbeat of each look. Used by the supervisor, in the thread that started the manager.
 *
 * What is measured is time in which the looking thread ran. Looks are due every TICK; one that comes late shows that
 * this thread, or the whole machine, was held up, and of the time since the look before it counts one TICK at most. So
 * a host that was blocked or a process that was stopped for minutes adds 0.1 s, after which a healthy manager has
 * beaten again; and a host whose every look is late still notices a hang, after ten looks without a beat.
 */

/** How often the heartbeat is looked at, in milliseconds. */
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
   * A manager was started. `beat` is the heartbeat before its first; `startTimeout` how long it may take, in
   * milliseconds.
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

  /** The manager said that it is up. */
  running(): void {
    this.#isRunning = true;
  }

  /**
   * One look. Until its first beat only the time to start counts, as loading its modules may take longer than a beat
   * may. A verdict is repeated at every look until another manager is started.
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
