/** How calls are done. */

export const ofCalls = [
  {
    name: 'no gate before Comlink',
    in: 'installGate',
    find: '|| !isCall(',
    replace: '|| port === undefined && !isCall(',
    caughtBy: { file: 'test/calls/gate.test.ts', test: 'no read, no write, no constructor, no nested path' },
  },
  {
    name: 'a call that was given up is done all the same',
    in: 'BatchJob.isGivenUp',
    find: 'return ((this.by.call - this.connection.settled) | 0) <= 0;',
    replace: 'return this.by.call === Infinity;',
    caughtBy: {
      file: 'test/calls/calls.test.ts',
      test: 'lets no call wait beyond callTimeout; what was not begun is never done',
    },
  },
  {
    name: 'it is not said that a call was begun',
    in: 'BatchJob.#call',
    find: 'Atomics.store(connection.words, CONNECTION.begun, call | 0);',
    replace: 'Atomics.store(connection.words, CONNECTION.begun, 0);',
    caughtBy: {
      file: 'test/calls/calls.test.ts',
      test: 'which had begun a call: nobody can know, and the call says so',
    },
  },
  {
    name: 'a call has no deadline',
    in: 'Connection.#expire',
    find: 'if (batch === undefined || batch.deadline > now) break;',
    replace: 'if (batch === undefined || batch.deadline > 0) break;',
    caughtBy: {
      file: 'test/calls/calls.test.ts',
      test: 'lets no call wait beyond callTimeout; what was not begun is never done',
    },
  },
  {
    name: 'a login as nobody is let in',
    in: 'readLogin',
    find: 'if (user.length === 0) throw',
    replace: 'if (false) throw',
    caughtBy: { file: 'test/calls/frames.test.ts', test: 'a login as nobody, which no caller can send, is refused' },
  },
  {
    name: 'a join is given up before what has arrived is read',
    in: 'join',
    file: 'src/manager/join.ts',
    find: 'setTimeout(() => setImmediate(() => late?.()), ticket.callTimeout)',
    replace: 'setTimeout(() => late?.(), ticket.callTimeout)',
    caughtBy: {
      file: 'test/threads/joining.test.ts',
      test: 'by a thread that is blocked for longer than callTimeout as soon as it has asked',
    },
  },
  {
    name: 'a welcome is judged by a class, of which every realm has its own',
    in: 'isWelcome',
    find: 'types.isInt32Array(over)',
    replace: 'types.isInt32Array(over) && over instanceof Int32Array',
    caughtBy: { file: 'test/package/realms.test.ts', test: 'in a realm of its own, the package starts a manager' },
  },
  {
    name: 'an error of another copy of the package is no SessionError',
    in: 'SessionError',
    find: 'value !== null && brand in value;',
    replace: 'value !== null && super[Symbol.hasInstance](value);',
    caughtBy: { file: 'test/package/two-copies.test.ts', test: 'two copies in one thread, started by import' },
  },
];
