/** Sessions under a caller's own key. */

import { keyed } from './caught-by.js';

export const ofKeyed = [
  {
    name: 'a key gets no tombstone when its session is closed',
    in: 'Endings.end',
    find: `const { slots } = this.#sessions.table.view;
    this.#leaveTombstone(slot);`,
    replace: 'const { slots } = this.#sessions.table.view;',
    caughtBy: keyed('a key whose session has ended as terminated is refused for the absolute timeout'),
  },
  {
    name: 'a key gets no tombstone when its session’s time is over',
    in: 'Endings.#endIfOver',
    find: `'expired' : 'idle';
    this.#leaveTombstone(slot);`,
    replace: `'expired' : 'idle';`,
    caughtBy: keyed('a key whose session has ended as idle is refused for the absolute timeout'),
  },
  {
    name: 'a key gets no tombstone when many sessions end at once',
    in: 'Endings.#pick',
    find: `    this.#leaveTombstone(slot);
    this.#giveReason(slot, reason, PICKED);`,
    replace: '    this.#giveReason(slot, reason, PICKED);',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
  {
    name: 'a key gets its tombstone after its session has ended',
    in: 'Endings.end',
    find: `    this.#leaveTombstone(slot);
    this.#giveReason(slot, reason);
    this.#sessions.table.owner.check();
    const mark = Atomics.exchange(slots, markPlace(slot), ENDED);`,
    replace: `    this.#giveReason(slot, reason);
    this.#sessions.table.owner.check();
    const mark = Atomics.exchange(slots, markPlace(slot), ENDED);
    this.#leaveTombstone(slot);`,
    caughtBy: keyed('of a manager that died at any write of an ending'),
  },
  {
    name: 'a successor reads no tombstones',
    in: 'recover',
    file: 'worker/recovery.ts',
    find: 'table.tombstones.restore();',
    replace: '',
    caughtBy: keyed('a key whose session has ended as closed is refused by a successor as well'),
  },
  {
    name: 'a key that never had a session gets no tombstone when it is closed',
    in: 'Rules.closeSessionByKey',
    find: 'this.#keyed.leaveTombstone(call);',
    replace: '{}',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a tombstone never expires',
    in: 'Tombstones.has',
    find: '(this.#numbers[(at + TOMBSTONES.until) / 2] as number) <= now',
    replace: '(this.#numbers[(at + TOMBSTONES.until) / 2] as number) < now - now',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a token opens a key’s session',
    in: 'Lookup.#find',
    find: 'if (pointer === 0 || record.isKeyed !== keyed) return false;',
    replace: 'if (pointer === 0 || (keyed && !record.isKeyed)) return false;',
    caughtBy: keyed('neither opens what the other does'),
  },
  {
    name: 'a session under a key is given a token by login',
    in: 'TokenChanges.login',
    find: `if (record.isKeyed) return 'ERR_TOKEN_UNKNOWN';`,
    replace: '',
    caughtBy: keyed('a session under a key cannot log in or rotate'),
  },
  {
    name: 'a session under a key begins anew with each put',
    in: 'KeyedSessions.#replace',
    find: 'next.setExpiresAt(createdAt + call.absolute);',
    replace: 'next.setExpiresAt(now + call.absolute);',
    caughtBy: keyed('never grows older than its absolute timeout, however often it is put'),
  },
  {
    name: 'a session that has ended and is not freed yet hides the next one under its key',
    in: 'Lookup.#find',
    find: 'if (keyed && view.liveMark(record) === ENDED) return false;',
    replace: '',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
];
