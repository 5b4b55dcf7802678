import { describe, expect, test } from 'vitest';
import { asBuilt, type Memory, type Reader, type Scenario, walk } from './publication-model.js';

// Names of records; 0 is what zeroed words hold.
const none = { slot: -1, generation: -1 };
const old = { slot: 0, generation: 0 };
const changed = { slot: 0, generation: 0 };
const others = { slot: 1, generation: 0 };
const nextTenants = { slot: 0, generation: 1 };
const records = [none, old, changed, others, nextTenants, changed];
const [OLD, CHANGED, OTHERS, NEXT, AGAIN] = [1, 2, 3, 4, 5] as const;
const begin = { records, first: OLD } as const;

/** In each, the cells of a record are used again after it has been replaced. */
const scenarios: Record<string, Scenario> = {
  'a change, and another session in the cells that it left': {
    ...begin,
    writer: [{ reuse: 3, record: CHANGED }, { pointer: 3 }, { reuse: 1, record: OTHERS }],
  },
  'two changes, the second in the cells of the first record, under the same pointer': {
    ...begin,
    writer: [{ reuse: 3, record: CHANGED }, { pointer: 3 }, { reuse: 1, record: AGAIN }, { pointer: 1 }],
  },
  'an ending, and the next tenant of slot and cells': {
    ...begin,
    writer: [{ pointer: 0 }, { generation: 1 }, { reuse: 1, record: NEXT }, { pointer: 1 }],
  },
  'a change, an ending, and the next tenant in the cells of the first record': {
    ...begin,
    writer: [
      { reuse: 3, record: CHANGED },
      { pointer: 3 },
      { pointer: 0 },
      { generation: 1 },
      { reuse: 1, record: NEXT },
      { pointer: 1 },
    ],
  },
};

const quarantined = { quarantine: true, callsInOrder: true, loadsInOrder: false };
const inOrder = { quarantine: false, callsInOrder: true, loadsInOrder: true };
const worstOfAll = { quarantine: false, callsInOrder: false, loadsInOrder: false };
const MIX = 'a mix of two records';
const NOT_CURRENT = 'a record that was not current during the lookup';

/** What is believed wrongly, in all scenarios together. */
function faults(reader: Partial<Reader>, memory: Memory): string[] {
  const walks = Object.values(scenarios).map((each) => walk(each, { ...asBuilt, ...reader }, memory));
  return [...new Set(walks.flatMap((each) => [...each.faults]))].sort();
}

describe.each(Object.entries(scenarios))('on every interleaving of a lookup with %s', (_, scenario) => {
  test('a reader believes only records that were current meanwhile', () => {
    const walked = walk(scenario, asBuilt, quarantined);
    expect([...walked.faults]).toEqual([]);
    expect(walked.believed).toBeGreaterThan(3);
  });

  test('so it does without any quarantine, where nothing is reordered and it believes no record that moves', () => {
    const walked = walk(scenario, { ...asBuilt, triesOfAMovingRecord: Number.POSITIVE_INFINITY }, inOrder);
    expect([...walked.faults]).toEqual([]);
    expect(walked.states).toBeGreaterThan(100);
  });

  test("it believes no mix and no other slot's record, whatever is reordered and however early cells are used again", () => {
    const walked = walk(scenario, asBuilt, worstOfAll);
    expect([...walked.faults]).not.toContain(MIX);
    expect(walked.believed).toBeGreaterThan(3);
  });
});

describe('the model notices', () => {
  test('that the checksum is left out', () => {
    expect(faults({ checksum: false }, worstOfAll)).toContain(MIX);
  });

  test('that the second look and the proof of the generation are left out', () => {
    const strict = { triesOfAMovingRecord: Number.POSITIVE_INFINITY };
    expect(faults(strict, inOrder)).toEqual([]);
    expect(faults({ ...strict, secondLook: false, generation: false }, inOrder)).toEqual([NOT_CURRENT]);
  });

  test('that a quarantine of nothing has no checksum beside it', () => {
    expect(faults({ checksum: false }, quarantined)).toEqual([]);
    expect(faults({ checksum: false }, inOrder)).toContain(MIX);
  });

  test('that a moving record is believed while its cells are used again: what only the quarantine rules out', () => {
    expect(faults({ triesOfAMovingRecord: 0 }, quarantined)).toEqual([]);
    expect(faults({ triesOfAMovingRecord: 0 }, inOrder)).toEqual([NOT_CURRENT]);
  });
});
