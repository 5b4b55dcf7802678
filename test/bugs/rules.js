/** The rules of sessions and their tokens. */

import { bare, interleavings, recovery } from './caught-by.js';

export const ofRules = [
  {
    name: 'a new session may have a digest that is in use',
    in: 'Rules.newSession',
    find: 'if (!this.#endings.freeDigest(call.digest) || this.#sessions.byId(call.id) >= 0) return',
    replace: 'if (this.#sessions.byId(call.id) >= 0) return',
    caughtBy: {
      file: 'test/contract/used.test.ts',
      test: 'is given to nobody else: not at birth, not at login, not by rotation',
    },
  },
  {
    name: 'with the way of an old digest that of the new one is taken out, where the index cannot tell them apart',
    in: 'TokenChanges.#forget',
    find: 'if (this.#table.sameEntry(digest, follower)) return;',
    replace: '',
    caughtBy: {
      file: 'test/rules/look-alikes.test.ts',
      test: 'a session is found by each digest that follows another which its index cannot tell from it',
    },
  },
  {
    name: 'ifVersion is not looked at',
    in: 'Changes.prepare',
    find: 'if (ifVersion !== undefined && ifVersion !== old.version)',
    replace: 'if (ifVersion !== undefined && old.version < 0)',
    caughtBy: bare('data over the bare rules replace with ifVersion refuses what somebody wrote before'),
  },
  {
    name: 'the old digest stays in the index after login',
    in: 'TokenChanges.login',
    find: 'this.#forget(table.digests, oldDigest, call.digest, slot);',
    replace: '',
    caughtBy: {
      file: 'test/rules/endings.test.ts',
      test: 'an ended session leaves no entry in any index, whatever tokens it had',
    },
  },
  {
    name: 'the token before stays in the record after login',
    in: 'TokenChanges.login',
    find: 'next.forgetPrevious();',
    replace: '',
    caughtBy: recovery('honours no token that was rotated out before a login'),
  },
  {
    name: 'a rotation lays no way from the token before',
    in: 'TokenChanges.rotate',
    find: 'table.previous.insert(call.from, slot);',
    replace: '',
    caughtBy: bare('tokens over the bare rules a rotated token is honoured for its grace to the millisecond'),
  },
  {
    name: 'of two rotations from the same token both are done',
    in: 'TokenChanges.rotate',
    find: 'if (!sameDigest(record.digest, call.from)) {',
    replace: 'if (!sameDigest(record.digest, call.from) && !record.hasPrevious) {',
    caughtBy: interleavings,
  },
  {
    name: 'a login is published before there is a way from its token',
    in: 'TokenChanges.login',
    find: `table.digests.insert(call.digest, slot);
        failpoint('login: new digest entered');
        this.#changes.see(slot, createdAt, now);
        prepared.apply(reply);`,
    replace: `this.#changes.see(slot, createdAt, now);
        prepared.apply(reply);
        table.digests.insert(call.digest, slot);
        failpoint('login: new digest entered');`,
    caughtBy: interleavings,
  },
  {
    name: 'a change is noted in the journal only after it is published',
    in: 'Changes.prepare',
    find: `by.journal?.noteIntent({ slot, generation, createdAt, pinned });
        failpoint('change: intent noted');
        table.publish(slot, pointer);
        failpoint('change: published');`,
    replace: `table.publish(slot, pointer);
        failpoint('change: published');
        by.journal?.noteIntent({ slot, generation, createdAt, pinned });
        failpoint('change: intent noted');`,
    caughtBy: interleavings,
  },
  {
    name: 'a user may have one session more than is allowed',
    in: 'Capacity.#surplus',
    find: 'this.#sessions.users.count(user) + 1 -',
    replace: 'this.#sessions.users.count(user) -',
    caughtBy: bare('limits over the bare rules maxSessionsPerUser with end-oldest keeps the newest'),
  },
  {
    name: 'data is let in without counting it',
    in: 'Capacity.#fits',
    find: 'table.dataBytes + table.pinnedBytes + bytes <= this.#limits.maxBytes',
    replace: 'table.dataBytes + table.pinnedBytes <= this.#limits.maxBytes',
    caughtBy: bare('limits over the bare rules all of maxBytes can be used, and not one byte more'),
  },
  {
    name: 'a session is freed before it is marked as ended',
    in: 'Endings.end',
    find: 'const mark = Atomics.exchange(slots, markPlace(slot), ENDED);',
    replace: 'const mark = Atomics.load(slots, markPlace(slot));',
    caughtBy: {
      file: 'test/rules/endings.test.ts',
      test: 'a session of which it is told that it is over is found by nobody',
    },
  },
  {
    name: 'the sweep ends a session that was seen while it judged it',
    in: 'Endings.#endIfOver',
    find: 'if (Atomics.compareExchange(view.slots, markPlace(slot), mark, ENDED) !== mark) return false;',
    replace: 'Atomics.store(view.slots, markPlace(slot), ENDED);',
    caughtBy: {
      file: 'test/rules/endings.test.ts',
      test: 'a session that is seen in its last millisecond, while the sweep judges it, lives on',
    },
  },
];
