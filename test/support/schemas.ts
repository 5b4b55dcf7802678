/** Standard Schemas written by hand, for tests: what they say, and when they say it, is up to the test. */

import type { StandardSchemaV1 } from '@standard-schema/spec';

export type Data = Record<string, unknown>;
export type Checked = StandardSchemaV1.Result<Data>;
export type Schema = StandardSchemaV1<unknown, Data>;

export function schemaOf(validate: (data: Data) => Checked | Promise<Checked>): Schema {
  return { '~standard': { version: 1, vendor: 'tests', validate: (data) => validate(data as Data) } };
}

export const fits = (value: Data): Checked => ({ value });
export const refuses = (...path: string[]): Checked => ({ issues: [{ message: 'a secret', path }] });

/** Accepts all, at once. */
export const anything = schemaOf(fits);
/** Of the keys a and b, at most one may be 1. */
export const atMostOne = (data: Data): Checked => (data.a === 1 && data.b === 1 ? refuses('a') : fits(data));

interface Waiting {
  readonly data: Data;
  settle(result: Checked | Promise<Checked>): void;
}

/** A schema whose checks wait until the test settles them, in whatever order. */
export class HeldSchema {
  /** Checks that have begun and are not settled, oldest first. */
  readonly waiting: Waiting[] = [];
  readonly schema: Schema;
  readonly #rule: (data: Data) => Checked;
  #begun: () => void = () => {};

  /** `isHeld`: which data waits. */
  constructor(rule: (data: Data) => Checked = fits, isHeld: (data: Data) => boolean = () => true) {
    this.#rule = rule;
    this.schema = schemaOf((data) => {
      if (!isHeld(data)) return rule(data);
      return new Promise((settle) => {
        this.waiting.push({ data: { ...data }, settle });
        this.#begun();
      });
    });
  }

  /** Settles when so many checks wait. */
  async until(count: number): Promise<void> {
    while (this.waiting.length < count) {
      await new Promise<void>((begun) => {
        this.#begun = begun;
      });
    }
  }

  /** Lets a check that waits come to its end. */
  release(nth = 0): void {
    const [waiting] = this.waiting.splice(nth, 1);
    waiting?.settle(this.#rule(waiting.data));
  }

  /** Has every check come to its end from now on, until `calls` are settled. */
  async releaseAll<T>(calls: Promise<T>): Promise<T> {
    let isOver = false;
    const over = calls.finally(() => {
      isOver = true;
      this.#begun();
    });
    over.catch(() => {});
    while (!isOver) {
      await Promise.race([this.until(1), over.catch(() => {})]);
      while (this.waiting.length > 0) this.release(this.waiting.length - 1);
    }
    return over;
  }
}
