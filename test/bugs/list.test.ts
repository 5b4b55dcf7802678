/** Seeded bugs name a place in the source: a rename of it shows here. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bugs } from './list.js';
import { placeOf, withBug } from './place.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What is wrong, by the name of the bug. */
function faults(check: (bug: (typeof bugs)[number]) => string | undefined): string[] {
  return bugs.flatMap((bug) => {
    const fault = check(bug);
    return fault === undefined ? [] : [`${bug.name}: ${fault}`];
  });
}

describe('the seeded bugs', () => {
  test('each has a name of its own', () => {
    expect(bugs.length).toBeGreaterThan(100);
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
  });

  test('each has one place in the source', () => {
    const fault = (bug: (typeof bugs)[number]) => {
      try {
        const place = placeOf(bug, root);
        return withBug(place, bug.replace) === place.text ? 'it changes nothing' : undefined;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(faults(fault)).toEqual([]);
  });
});

describe('the place of a bug', () => {
  let tree = '';
  const write = (file: string, text: string) => writeFileSync(join(tree, file), text);

  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'coatcheck-bugs-place-'));
    mkdirSync(join(tree, 'src'));
    mkdirSync(join(tree, 'worker'));
    write(
      'src/a.ts',
      `export class Door {
  #open(key: string): boolean {
    // Whoever has the key.
    return this.#keys.has(
      key,
      "front",
    );
  }
  close(): void { this.#shut = true; this.#shut = true; }
}
export const open = 1;
`,
    );
    write('worker/b.ts', 'export function open(): number { return 2; }\n');
  });

  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  test('is found whatever the layout, the quotes and the commas at ends', () => {
    const place = placeOf({ in: 'Door.#open', find: "return this.#keys.has(key, 'front');" }, tree);
    expect(place.file).toBe('src/a.ts');
    expect(withBug(place, 'return true;')).toContain('// Whoever has the key.\n    return true;\n  }');
    expect(withBug(placeOf({ in: 'Door.#open', find: "'front', )" }, tree), ')')).toContain('key,\n      );');
  });

  test.each([
    ['a declaration that there is not', { in: 'Door.lock', find: 'return' }, 'no Door.lock is declared'],
    ['code that is not in it', { in: 'Door.#open', find: 'this.#shut = true' }, '0 places'],
    ['code that is twice in it', { in: 'Door.close', find: 'this.#shut = true' }, '2 places'],
    ['half a token', { in: 'Door.#open', find: "'front" }, 'whole tokens'],
    ['a name that two files declare', { in: 'open', find: '2' }, 'src/a.ts and in worker/b.ts'],
  ])('is refused for %s', (_, bug, message) => {
    expect(() => placeOf(bug, tree)).toThrow(message);
  });

  test('may be told by its file', () => {
    expect(placeOf({ in: 'open', file: 'worker/b.ts', find: '2' }, tree).file).toBe('worker/b.ts');
  });
});
