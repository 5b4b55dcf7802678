/** What follows the death of a manager. */

import { recovery, resent, restart, supervisor } from './caught-by.js';

export const ofDeaths = [
  {
    name: 'calls that were answered are done again',
    in: 'BatchJob.#do',
    find: 'if (!isRepeatable(this.which)) return replayAnswer(',
    replace: 'if (!isRepeatable(this.which) && this.which > 99) return replayAnswer(',
    caughtBy: resent('in few steps, a call is done once and answered once, before whichever write its manager dies'),
  },
  {
    name: 'the record that holds the answer of a take is freed',
    in: 'Changes.prepare',
    find: 'if (value !== undefined) by.pins?.add(table, { call: by.call, pointer: pinned, bytes: value.length });',
    replace: 'if (value !== undefined) table.cells.retire(pinned);',
    caughtBy: resent('what a take has answered is kept until it has arrived'),
  },
  {
    name: 'a call in doubt is taken for not done, whatever record it left',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: `if (left && record.connection === number && (record.call | 0) === call) journal.answered(call, 'done');`,
    replace: `if (left && record.connection < 0) journal.answered(call, 'done');`,
    caughtBy: resent('in few steps, a call is done once and answered once, before whichever write its manager dies'),
  },
  {
    name: 'a successor keeps a record that does not prove itself',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: 'if (!view.copyHeader(pointer, record) || !view.copyBody(pointer, record)) return false;',
    replace: 'view.copyHeader(pointer, record); view.copyBody(pointer, record);',
    caughtBy: recovery('whatever words are broken, nothing throws'),
  },
  {
    name: 'a successor keeps a record of another generation',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: ' && record.generation === view.generation(slot) &&',
    replace: ' &&',
    caughtBy: recovery('takes a record of another generation of its place for none'),
  },
  {
    name: 'a successor gives two records the same cell',
    in: 'Cells.assign',
    find: 'if (!(cell > 0 && cell < touched) || (assigned[cell >>> 5] as number) & (1 << (cell & 31))) {',
    replace: 'if (!(cell > 0 && cell < touched)) {',
    caughtBy: recovery('of two whole records that share a cell, keeps one'),
  },
  {
    name: 'a successor allocates a free slot under the generation that it had',
    in: 'TableWriter.reclaimSlot',
    find: 'if (this.view.slots[at + 1] !== -1) this.#age(slot);',
    replace: 'this.view.slots[at + 1] = (this.view.slots[at + 1] as number) - 1; this.#age(slot);',
    caughtBy: recovery('gives no handle of a former session the next one in its place'),
  },
  {
    name: 'an ending of many that was decided is forgotten',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: 'isDecided && (reasons[slot] as number) & PICKED',
    replace: 'false',
    caughtBy: recovery('ends what an ending of many had picked if that was decided, and nothing if it was not'),
  },
  {
    name: 'a heart that stands still is not noticed',
    in: 'HangDetector.look',
    find: 'this.#stillFor >= HUNG_AFTER',
    replace: 'this.#stillFor >= HUNG_AFTER * 1e6',
    caughtBy: supervisor('a manager whose heart stands still is given up at the tenth look'),
  },
  {
    name: 'a supervisor that was held up itself gives its manager up',
    in: 'HangDetector.look',
    find: 'const ran = Math.min(now - this.#lookedAt, TICK);',
    replace: 'const ran = now - this.#lookedAt;',
    caughtBy: supervisor('gives nobody up: it adds one look'),
  },
  {
    name: 'a look that comes late makes the second begin anew',
    in: 'HangDetector.look',
    find: 'const ran = Math.min(now - this.#lookedAt, TICK);',
    replace: `const ran = Math.min(now - this.#lookedAt, TICK);
    if (now - this.#lookedAt > 2 * TICK) this.#stillFor = 0;`,
    caughtBy: restart('by hanging is noticed by a host that is held up itself'),
  },
  {
    name: 'the time to start goes by while the starter is blocked',
    in: 'HangDetector.look',
    find: 'const ran = Math.min(now - this.#lookedAt, TICK);',
    replace: `const ran = Math.min(now - this.#lookedAt, TICK);
    this.#startingFor += Math.max(0, now - this.#lookedAt - TICK);`,
    caughtBy: supervisor('a host that is blocked for longer than a start may take gives it the rest of that time'),
  },
  {
    name: 'a manager that takes a second to its first beat is given up',
    in: 'HangDetector.look',
    find: 'else if (this.#hasBeaten)',
    replace: 'else if (this.#hasBeaten || ran > 0)',
    caughtBy: supervisor('until the first beat, only the time to start counts'),
  },
  {
    name: 'why a start failed is overwritten by how its thread was ended',
    in: 'start',
    find: '(isPortClosed(error) ? undefined : error);',
    replace: 'undefined;',
    caughtBy: { file: 'test/threads/death.test.ts', test: 'by its starter, as it greets wrongly' },
  },
  {
    name: 'a manager is replaced for ever',
    in: 'Supervisor.#mayRestart',
    find: 'return this.#restartedAt.length < most;',
    replace: 'return true;',
    caughtBy: restart('more often than is allowed has failed for good; lookups go on'),
  },
  {
    name: 'a successor does not know who listens',
    in: 'serve',
    find: 'connections.subscribe(to, events);',
    replace: 'connections.subscribe(to, 0);',
    caughtBy: restart('signals abort and listeners hear, in every thread'),
  },
  {
    name: 'a successor does not know who watches',
    in: 'serve',
    find: 'if (!rules.endIfOver(target)) connections.watch(to, target.slot);',
    replace: 'if (!rules.endIfOver(target)) continue;',
    caughtBy: restart('signals abort and listeners hear, in every thread'),
  },
  {
    name: 'a successor does not know which thread a session is linked to',
    in: 'Sessions.restore',
    find: `this.table.dataBytes += record.dataBytes;
    if (record.linkedTo !== 0) this.#link(record.linkedTo, slot);`,
    replace: 'this.table.dataBytes += record.dataBytes;',
    caughtBy: restart('a linked session lives on, and ends with its thread'),
  },
];
