/** Calls of threads that have a schema. */

import { schemaOrder, schemaStored } from './caught-by.js';

const RULE = 'is checked again by set where another thread has written';

export const ofSchemas = [
  {
    name: 'a patch is sent without the version that it was checked against',
    in: 'CheckedCalls.#compareAndSet',
    find: 'const sending = send(checked, version);',
    replace: 'const sending = send(checked, undefined as never);',
    caughtBy: schemaOrder(RULE),
  },
  {
    name: 'a change is made whatever the version',
    in: 'Changes.prepare',
    find: `if (ifVersion !== undefined && ifVersion !== old.version) return 'ERR_SESSION_CONFLICT';`,
    replace: `if (ifVersion !== undefined && old.version < 0) return 'ERR_SESSION_CONFLICT';`,
    caughtBy: schemaOrder(RULE),
  },
  {
    name: 'a login is made whatever the version',
    in: 'TokenChanges.login',
    find: 'ifVersion: call.ifVersion,',
    replace: '',
    caughtBy: schemaOrder('is checked again by login where another thread has written'),
  },
  {
    name: 'a patch that meets another’s change is refused',
    in: 'CheckedCalls.#compareAndSet',
    find: "if (!(answer instanceof Refused && answer.answer === 'ERR_SESSION_CONFLICT')) return answer;",
    replace: 'if (answer !== read()) return answer;',
    caughtBy: schemaOrder(RULE),
  },
  {
    name: 'a call does not wait for those of its session',
    in: 'Entry.isBehind',
    find: 'return other === undefined || (other.hasPlace && !this.isConditional);',
    replace: "return other === undefined || other.chain !== 'all' || (other.hasPlace && !this.isConditional);",
    caughtBy: schemaOrder('with a schema that answers later a set before a close is done'),
  },
  {
    name: 'a patch is checked against data that a call before it is about to change',
    in: 'Entry.isBehind',
    find: 'return other === undefined || (other.hasPlace && !this.isConditional);',
    replace: 'return other === undefined || other.wasSent;',
    caughtBy: schemaOrder('a patch is checked against what the one before it made'),
  },
  {
    name: 'a call of all sessions does not wait for those before it',
    in: 'CallOrder.#hasTurn',
    find: "if (entry.chain === 'all') return entry === this.#firstUnplaced;",
    replace: "if (entry.chain === 'all') return true;",
    caughtBy: schemaOrder('a session whose data is still being checked is made before closeAllSessions, which ends it'),
  },
  {
    name: 'the making of a session does not wait for the calls before it',
    in: 'CallOrder.#hasTurn',
    find: 'if (entry.chain === undefined) return entry === this.#firstUnsent;',
    replace: 'if (entry.chain === undefined) return true;',
    caughtBy: schemaOrder('that answers later a place is free for a session that is made after the close of another'),
  },
  {
    name: 'a call does not wait for those of all sessions',
    in: 'CallOrder.#enter',
    find: "if (chain !== 'all') entry.waitFor(this.#lastOf.get('all'));",
    replace: '',
    caughtBy: schemaOrder('another session’s calls do not wait, and those of all sessions do'),
  },
  {
    name: 'a call that is refused gives its turn to the one behind it',
    in: 'CallOrder.#settle',
    find: 'if (after !== undefined) after.before = before;',
    replace: 'if (after !== undefined) after.before = undefined;',
    caughtBy: schemaOrder('what is refused before its turn does not give it to those behind'),
  },
  {
    name: 'a call that waits has no deadline',
    in: 'CallOrder.#setTimer',
    find: 'setImmediate(() => this.#expire());',
    replace: 'setImmediate(() => this.#count < 0 && this.#expire());',
    caughtBy: schemaOrder('a call is refused by its deadline, those behind it go on'),
  },
  {
    name: 'what is checked too late is sent',
    in: 'CheckedCalls.#compareAndSet',
    find: "if (place.isSettled) return new Refused('ERR_TIMEOUT');",
    replace: '',
    caughtBy: schemaOrder(
      'every call that waits for it is refused by its own deadline, and none of them is done later',
    ),
  },
  {
    name: 'any number of calls may wait for a schema',
    in: 'CallOrder.make',
    find: 'this.#count >= MOST_CALLS ||',
    replace: 'this.#count >= 2 * MOST_CALLS ||',
    caughtBy: schemaOrder('65,536 calls may wait and the next is refused at once'),
  },
  {
    name: 'data that waits is stored as it is when it is sent',
    in: 'copyData',
    find: 'return { value: copies.of(data, 0) as T, bytes: copies.bytes };',
    replace: 'return { value: copies.of(data, 0) === undefined ? data : data, bytes: copies.bytes };',
    caughtBy: schemaOrder('what becomes of an object after it was handed in is not stored'),
  },
  {
    name: 'a default is not stored with a patch',
    in: 'checkPatch',
    find: 'if (!Object.hasOwn(stored, key) && !Object.hasOwn(stores, key)) define(stores, key, value);',
    replace: 'if (Object.hasOwn(stores, key)) define(stores, key, value);',
    caughtBy: schemaStored('has them stored with a patch of data that lacks them'),
  },
  {
    name: 'what is stored is transformed again with a patch of another key',
    in: 'checkPatch',
    find: 'if (!Object.hasOwn(stored, key) && !Object.hasOwn(stores, key)) define',
    replace: 'if (!Object.hasOwn(stores, key)) define',
    caughtBy: schemaStored('at once has what it was given transformed, and nothing that is stored already'),
  },
  {
    name: 'a schema that refuses its own output is let in',
    in: 'checkOutput',
    find: 'if (isSame(output, input)) return undefined;',
    replace: 'return undefined;',
    caughtBy: schemaStored('into what it does not accept is refused as an option, wherever it is met first'),
  },
  {
    name: 'a key is taken that the schema demands',
    in: 'checkRemoval',
    find: 'if (!Object.hasOwn(stored, key)) return undefined;',
    replace: 'return undefined;',
    caughtBy: schemaStored('of a key that the schema demands is refused by its path, and takes nothing'),
  },
];
