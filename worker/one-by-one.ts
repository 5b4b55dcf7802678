/** Work that must not meet other work half done, each after the one before. Manager's thread. */

export class OneByOne {
  /** What has to be over before the next may begin; undefined where nothing is waited for. */
  #underWay: Promise<unknown> | undefined;
  readonly #failed: (error: unknown) => void;

  /** `failed` is told of everything that was thrown. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Runs something at once, or after what is under way. */
  alone<T>(work: () => T | Promise<T>): T | Promise<T> {
    if (this.#underWay !== undefined) return this.#wait(this.#underWay.then(work));
    try {
      const result = work();
      return result instanceof Promise ? this.#wait(result) : result;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  #wait<T>(result: Promise<T>): Promise<T> {
    const over = result.then(
      () => undefined,
      (error) => this.#failed(error),
    );
    this.#underWay = over;
    over.then(() => {
      if (this.#underWay === over) this.#underWay = undefined;
    });
    return result;
  }
}
