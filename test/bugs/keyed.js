/** Sessions under a caller's own key. */

import { keyed } from './caught-by.js';

export const ofKeyed = [
  {
    name: 'a key is not buried when its session is closed',
    file: 'worker/rules/endings.ts',
    find: 'const { slots } = this.#sessions.table.view;\n    this.#bury(slot);',
    replace: 'const { slots } = this.#sessions.table.view;',
    caughtBy: keyed('a key whose session has ended as terminated is refused for the absolute timeout'),
  },
  {
    name: 'a key is not buried when its session’s time is over',
    file: 'worker/rules/endings.ts',
    find: "'expired' : 'idle';\n    this.#bury(slot);",
    replace: "'expired' : 'idle';",
    caughtBy: keyed('a key whose session has ended as idle is refused for the absolute timeout'),
  },
  {
    name: 'a key is not buried when many sessions end at once',
    file: 'worker/rules/endings.ts',
    find: '    this.#bury(slot);\n    this.#giveReason(slot, reason, PICKED);',
    replace: '    this.#giveReason(slot, reason, PICKED);',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
  {
    name: 'a key is buried after its session has ended',
    file: 'worker/rules/endings.ts',
    find: '    this.#bury(slot);\n    this.#giveReason(slot, reason);\n    this.#sessions.table.owner.check();\n    const mark = Atomics.exchange(slots, markPlace(slot), ENDED);',
    replace:
      '    this.#giveReason(slot, reason);\n    this.#sessions.table.owner.check();\n    const mark = Atomics.exchange(slots, markPlace(slot), ENDED);\n    this.#bury(slot);',
    caughtBy: keyed('of a manager that died at any write of an ending'),
  },
  {
    name: 'a successor does not know which keys are buried',
    file: 'worker/recovery.ts',
    find: 'table.buried.restore();',
    replace: '',
    caughtBy: keyed('a key whose session has ended as closed is refused by a successor as well'),
  },
  {
    name: 'a key that never had a session is not buried when it is closed',
    file: 'worker/rules/rules.ts',
    find: 'this.#keyed.bury(call);',
    replace: '',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a key is buried for ever',
    file: 'worker/table/tombstones.ts',
    find: '(this.#numbers[(at + BURIED.until) / 2] as number) <= now',
    replace: '(this.#numbers[(at + BURIED.until) / 2] as number) < now - now',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a token opens a key’s session',
    file: 'src/lookup/lookup.ts',
    find: 'if (head.isKeyed !== keyed) return false;',
    replace: 'if (keyed && !head.isKeyed) return false;',
    caughtBy: keyed('neither opens what the other does'),
  },
  {
    name: 'a session under a key is given a token by login',
    file: 'worker/rules/token-changes.ts',
    find: "if (table.view.head.isKeyed) return 'ERR_TOKEN_UNKNOWN';",
    replace: '',
    caughtBy: keyed('a session under a key cannot log in or rotate'),
  },
  {
    name: 'a session under a key begins anew with each put',
    file: 'worker/rules/keyed.ts',
    find: 'head.expiresAt = createdAt + call.absolute;',
    replace: 'head.expiresAt = now + call.absolute;',
    caughtBy: keyed('never grows older than its absolute timeout, however often it is put'),
  },
  {
    name: 'a session that has ended and is not freed yet hides the next one under its key',
    file: 'src/lookup/lookup.ts',
    find: 'if (keyed && view.liveMark(slot) === ENDED) return false;',
    replace: '',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
];
