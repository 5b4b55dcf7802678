/** Random choices that can be made again: each test prints its seed, and COATCHECK_SEED=… repeats it. */

import { randomInt } from 'node:crypto';

export interface Random {
  readonly seed: number;
  /** An integer from 0 up to, and without, this one. */
  below(most: number): number;
  chance(of: number): boolean;
  pick<T>(among: readonly T[]): T;
  bytes(count: number): Uint8Array;
}

export function randomFrom(what: string, seed = Number(process.env.COATCHECK_SEED ?? randomInt(2 ** 31))): Random {
  console.info(`${what}: COATCHECK_SEED=${seed}`);
  // mulberry32
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (most: number) => Math.floor(next() * most);
  return {
    seed,
    below,
    chance: (of) => next() < of,
    pick: <T>(among: readonly T[]) => among[below(among.length)] as T,
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
  };
}
