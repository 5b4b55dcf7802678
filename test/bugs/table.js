/** How the table is read, and how it is written. */

import { bare, interleavings, recovery, table } from './caught-by.js';

export const ofTable = [
  {
    name: 'a copied record is believed whatever its checksum',
    in: 'TableView.copyBody',
    find: 'sumWords(into.words, headerWords, count, headerWords);',
    replace: 'into.words[RECORD_HEADER.bodySum];',
    caughtBy: recovery('whatever words are broken, nothing throws'),
  },
  {
    name: 'a record without a body loses the last word of its header',
    in: 'RecordDraft.append',
    find: 'if (count > this.headerWords) words[count - 1] = 0;',
    replace: 'words[count - 1] = 0;',
    caughtBy: {
      file: 'test/rules/keyed-rules.test.ts',
      test: 'goes over to the user it is put for, or to none',
    },
  },
  {
    name: 'no second look at the pointer after the copy',
    in: 'TableView.load',
    find: 'const same = this.pointer(slot) === pointer;',
    replace: 'const same = true;',
    caughtBy: table('of a record that is replaced while it is copied, the newer is believed'),
  },
  {
    name: 'a miss is believed though the index was switched',
    in: 'TableView.find',
    find: 'if (Atomics.load(this.header, switchWord) === switches) return -1;',
    replace: 'return -1;',
    caughtBy: table('a miss is not believed if the index was switched under it'),
  },
  {
    name: 'a mark is taken for the session’s own, whatever its generation',
    in: 'TableView.liveMark',
    find: 'return this.generation(record.slot) === record.generation ? mark : ENDED;',
    replace: 'return mark;',
    caughtBy: {
      file: 'test/table/marks.test.ts',
      test: 'a list shows no session that had ended before',
    },
  },
  {
    name: 'a handle takes the mark of the next session in its slot for its own',
    in: 'SessionReader.#liveMark',
    find: 'this.#context.view.generation(this.#slot) !== this.#generation',
    replace: 'this.#generation === 0',
    caughtBy: {
      file: 'test/table/marks.test.ts',
      test: 'a handle of a session that had ended does not live',
    },
  },
  {
    name: 'a digest is compared by its first words only',
    in: 'Lookup.#find',
    find: 'const isCurrent = sameDigest(record.digest, digest);',
    replace: 'const isCurrent = record.digest[0] === digest[0] && record.digest[1] === digest[1];',
    caughtBy: {
      file: 'test/rules/look-alikes.test.ts',
      test: 'a token opens no session whose digest only begins like its own',
    },
  },
  {
    name: 'a seen mark is stored without a look at what it was',
    in: 'raiseMark',
    find: 'Atomics.compareExchange(words, at, read, markOf(side, now));',
    replace: 'Atomics.exchange(words, at, markOf(side, now));',
    caughtBy: {
      file: 'test/rules/lists.test.ts',
      test: 'a mark is only ever raised, never lowered, and never taken from an ended session',
    },
  },
  {
    name: 'a look that is remembered is trusted, whatever has been published since',
    in: 'Lookup.#fromMemo',
    find: 'if (this.#isCurrent(entry)) {',
    replace: 'if (this.#isCurrent(entry) || entry.handle.alive) {',
    caughtBy: interleavings,
  },
  {
    name: 'the token that a thread drew takes the place of a later one that it was shown',
    in: 'SessionReader.learnDrawnToken',
    find: 'if (this.#newestToken() === undefined) this.#token = shown ?? token;',
    replace: 'if (shown === token) return;',
    caughtBy: {
      file: 'test/lookup/handles.test.ts',
      test: 'a thread that hears late of a token that it drew keeps the one that it was shown meanwhile',
    },
  },
  {
    name: 'a fenced manager writes on',
    in: 'Owner.check',
    find: 'if (Atomics.load(this.header, HEADER.ownerEpoch) !== this.epoch) throwFenced();',
    replace: 'if (Number.isNaN(this.epoch)) throwFenced();',
    caughtBy: recovery('a manager that was given up for dead writes nothing, whatever it is told to do'),
  },
  {
    name: 'freed cells keep what was in them',
    in: 'Cells.#zero',
    find: 'for (let i = 0; i < CELL_WORDS; i++) cells[start + i] = 0;',
    replace: 'cells[start] = 0;',
    caughtBy: table('what a session left is zeroed after two sweeps'),
  },
  {
    name: 'no quarantine: cells are used again at once',
    in: 'Cells.retire',
    find: 'while (this.quarantined > QUARANTINE_CELLS + count) this.#release();',
    replace: 'while (this.quarantined > 0) this.#release();',
    caughtBy: table('a record that was replaced stays whole for thousands of cells of further changes'),
  },
  {
    name: 'a slot is allocated again under the same generation',
    in: 'TableWriter.#age',
    find: 'const next = ((this.view.slots[at + 1] as number) + 1) | 0;',
    replace: 'const next = (this.view.slots[at + 1] as number) | 0;',
    caughtBy: bare('data over the bare rules a handle of a session that ended never reaches the next one in its place'),
  },
  {
    name: 'an index that is rebuilt misses what is entered meanwhile',
    in: 'IndexWriter.insert',
    find: 'if (this.#isCleared() && this.#put(this.#spare as Int32Array, key, slot)) this.#spareUsed++;',
    replace: '',
    caughtBy: table('all that is live is found, and nothing else, while the index is rebuilt again and again'),
  },
  {
    name: 'a place keeps the reports of its former session',
    in: 'Endings.#reportReusedIn',
    find: 'if (Atomics.load(view.reported, slot) !== record.generation) return;',
    replace: '',
    caughtBy: {
      file: 'test/rules/rotation.test.ts',
      test: 'does no harm to the next session in the place of the one it belonged to',
    },
  },
];
