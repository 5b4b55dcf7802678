/** Work that goes in steps, what is between them, and what a thread has under way. */

import { ordinary, steps } from './caught-by.js';

const whole = (name) => steps(`no step is longer than a step may be ${name}`);

export const ofSteps = [
  {
    name: 'a batch is done in one step, however large',
    in: 'BatchJob.#advance',
    find: 'if (this.#next < this.#count && table.pace.isOver) {',
    replace: 'if (this.#next > this.#count && table.pace.isOver) {',
    caughtBy: whole('a batch of changes of a large session'),
  },
  {
    name: 'many sessions end in one step',
    in: 'Endings.endMany',
    find: 'if (!this.pace.isOver) continue; total =',
    replace: 'continue; total =',
    caughtBy: whole('closeAllSessions'),
  },
  {
    name: 'all marks are looked at in one step',
    in: 'LongestIdle.#look',
    find: 'if (pace.isOver) yield;',
    replace: '',
    caughtBy: whole('the first eviction in a full table'),
  },
  {
    name: 'all that is over is taken out of the lists in one step',
    in: 'Endings.settling',
    find: 'else this.endDue(SETTLED_AT_ONCE); if (this.pace.isOver) yield;',
    replace: 'else this.endDue(SETTLED_AT_ONCE);',
    caughtBy: whole('a session of a user who has as many as allowed'),
  },
  {
    name: 'the list of a user is made in one step',
    in: 'Rules.sessionsOfUser',
    find: 'count++; } if (pace.isOver) yield;',
    replace: 'count++; }',
    caughtBy: whole('the list of one user'),
  },
  {
    name: 'all that is linked to a thread ends in one step',
    in: 'Rules.connectionLost',
    find: "this.#endings.end(slot, 'terminated'); if (pace.isOver) yield;",
    replace: "this.#endings.end(slot, 'terminated');",
    caughtBy: whole('a thread that leaves'),
  },
  {
    name: 'a record that is written does not count',
    in: 'TableWriter.#allocate',
    find: 'this.pace.spend(UNITS.record + bytes / UNITS.bytes);',
    replace: '',
    caughtBy: whole('a batch of changes of a large session'),
  },
  {
    name: 'a freed session does not count',
    in: 'TableWriter.release',
    find: 'this.pace.spend(UNITS.free);',
    replace: 'this.owner.beat();',
    caughtBy: steps('between two steps a freed session is no sign of life'),
  },
  {
    name: 'a session that begins during closeAllSessions is taken for an old one',
    in: 'Rules.#newRecord',
    find: 'Math.max(this.#now(), this.#endings.notBefore)',
    replace: 'this.#now()',
    caughtBy: steps('between two steps closeAllSessions touches no session that begins meanwhile'),
  },
  {
    name: 'a closeAllSessions that is taken up again counts from nothing',
    in: 'Journal.beginClosing',
    find: 'if (words[entry + ENTRY.slot] === CLOSING_MANY) return this.#closingIn(entry);',
    replace: '',
    caughtBy: steps('between two steps a manager that dies there loses and repeats no count'),
  },
  {
    name: 'a slice that was decided when its manager died does not count',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: 'if (isDecided && isLast) journal.settleClosing(',
    replace: 'if (isDecided && !isLast) journal.settleClosing(',
    caughtBy: steps('between two steps a manager that dies there loses and repeats no count'),
  },
  {
    name: 'a walk along a list stands on a slot that was taken out',
    in: 'Users.remove',
    find: 'if (cursor.slot === slot) cursor.slot = this.after(slot);',
    replace: 'if (cursor.slot < 0) cursor.slot = this.after(slot);',
    caughtBy: steps('between two steps one that ends a user\u2019s sessions meets each that stays'),
  },
  {
    name: 'a thread that is gone is entered when its greeting has its turn',
    in: 'serve',
    find: 'if (isClosed || !isHello(hello)) return',
    replace: 'if (!isHello(hello)) return',
    caughtBy: steps('between two steps a thread that is gone before its greeting has its turn is not entered'),
  },
  {
    name: 'batches of one connection take turns with each other',
    in: 'Turns.add',
    find: 'if (queue.jobs.length > 1) return;',
    replace:
      'if (queue.jobs.length > 1) queue.jobs.unshift(queue.jobs.pop() as Job); if (queue.jobs.length > 1) return;',
    caughtBy: steps('between two steps the calls of one connection keep their order'),
  },
  {
    name: 'a thread has more calls under way than its journal has entries for',
    in: 'Connection.#sendMore',
    find: 'lastOf(batch) - this.#lastSettled > MOST_IN_FLIGHT',
    replace: 'false',
    caughtBy: ordinary('no more calls are under way than their journal has entries for'),
  },
  {
    name: 'what was taken is kept until its thread calls again',
    in: 'Executor.constructor',
    find: 'this.table.unpin = () => parts.connections.unpin(this.table);',
    replace: '',
    caughtBy: ordinary('a thread that idles afterwards keeps nothing of them'),
  },
];
