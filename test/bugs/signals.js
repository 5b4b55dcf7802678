/** How signals and listeners come to hear. */

import { signals, wallClock } from './caught-by.js';

export const ofSignals = [
  {
    name: 'a watch that was refused is not asked for again',
    in: 'WatchedSessions.#ask',
    find: 'this.#unconfirmed.add(session);',
    replace: '',
    caughtBy: signals('a signal as it took too long: it aborts when the session ends in another thread'),
  },
  {
    name: 'a subscription that was refused is not asked for again',
    in: 'Events.#send',
    find: 'if (this.#pending === 0 && this.#confirmed !== this.#wanted) this.#retry.schedule();',
    replace: '',
    caughtBy: signals('a listener for a timeout: it hears what happens afterwards'),
  },
  {
    name: 'a subscription is taken for told by an older call that was answered later',
    in: 'Events.#send',
    find: 'if (call > this.#confirmedBy && (',
    replace: 'if ((call > this.#confirmedBy || call > 0) && (',
    caughtBy: signals('is the newest of what was told, though an older call is answered after it'),
  },
  {
    name: 'a subscription that may have been applied late is not told again',
    in: 'Events.#send',
    find: `(isDone || refused.outcome !== 'not-applied')`,
    replace: 'isDone',
    caughtBy: signals('is told again where a call that was given up may have been done late'),
  },
  {
    name: 'a subscription is asked for again though the connection is closed',
    in: 'Retry.end',
    find: 'this.#isOver = true; clearTimeout(this.#timer);',
    replace: '',
    caughtBy: signals('is told at growing intervals, and no more once nobody listens or the connection is closed'),
  },
  {
    name: 'the reason of an ending is not read from shared memory',
    in: 'TableView.reasonOf',
    find: 'return mark === ENDED && isItsOwn ? REASONS[place] : undefined;',
    replace: 'return undefined;',
    caughtBy: signals('a signal for overload, whose session has ended by the time it is asked for again'),
  },
  {
    name: 'whoever watched when the manager failed is forgotten',
    in: 'WatchedSessions.end',
    find: 'for (const session of this.#handles.allWatched()) this.#endDetector.watch(session);',
    replace: '',
    caughtBy: signals('a signal aborts when time ends the session; one that was seen meanwhile, later'),
  },
  {
    name: 'whoever watches after the manager has failed is forgotten',
    in: 'WatchedSessions.watch',
    find: 'else this.#endDetector.watch(session);',
    replace: '',
    caughtBy: signals('a signal that is asked for only then aborts as well'),
  },
  {
    name: 'no look at a manual clock after the manager has failed',
    in: 'EndDetector.#poll',
    find: 'if (!isClockManual) break;',
    replace: 'if (!isClockManual || !isIdle) break;',
    caughtBy: signals('a signal aborts when the manual clock has ended the session, in every thread'),
  },
  {
    name: 'watched sessions of a failed manager keep the process alive',
    in: 'EndDetector.watch',
    find: 'POLL_EVERY).unref()',
    replace: 'POLL_EVERY)',
    caughtBy: signals('signals keep no process alive'),
  },
  {
    name: 'a timer is set for longer than timers can wait',
    in: 'EndDetector.#check',
    find: 'Math.min(Math.max(expiresAt.getTime() - now(), 1), LONGEST_TIMER)',
    replace: 'Math.max(expiresAt.getTime() - now(), LONGEST_TIMER - LONGEST_TIMER + 1)',
    caughtBy: signals('a session that lives longer than a timer can wait is looked at no more often than it must be'),
  },
  {
    name: 'nobody looks whether the manager lives on without this thread',
    in: 'EndDetector.#poll',
    find: `else if (beats > 1) stopped('disconnected');`,
    replace: `else if (beats < 0) stopped('disconnected');`,
    caughtBy: signals('signals abort as disconnected when its port is closed by a manager, restarted up to 5 times'),
  },
  {
    name: 'a thread that leaves keeps its signals waiting',
    in: 'ManagerClient.#leave',
    find: `this.#attachment.close('disconnected');`,
    replace: `this.#attachment.connection.close(new Refused('ERR_MANAGER_STOPPED'));`,
    caughtBy: signals('signals abort as disconnected when it leaves its manager'),
  },
  {
    name: 'a manager that had failed is not told to be stopped',
    in: 'EndDetector.#poll',
    find: `if (Atomics.load(header, HEADER.status) === STATUS.stopped) stopped('stopped');
    else if`,
    replace: `if (Atomics.load(header, HEADER.status) === STATUS.starting) return;
    if`,
    caughtBy: signals('signals abort as stopped in every thread when the manager is stopped after all'),
  },
  {
    name: 'what began within an update is taken for a part of it for ever',
    in: 'SessionHandle.#run',
    find: 'own.isRunning = false;',
    replace: '',
    caughtBy: {
      file: 'test/lookup/handles.test.ts',
      test: 'what began within an update may update the same session once that update is over',
    },
  },
  {
    name: 'an instant of the wall clock is taken for session time',
    in: 'toSessionTime',
    find: 'const isAhead = before - present > UNNOTICED_LEAD;',
    replace: 'const isAhead = false;',
    caughtBy: wallClock('all sessions created before now are listed and closed, the newest too'),
  },
  {
    name: "a session's createdAt is taken for an instant of the wall clock",
    in: 'toSessionTime',
    find: 'return isAhead && instant <= present ?',
    replace: 'return isAhead ?',
    caughtBy: wallClock("a session's createdAt picks those before it, and not itself"),
  },
];
