/**
 * Bugs that somebody could make, each the loss of one safeguard, and for each the test that misses it. `find` occurs once in the file.
 *
 * From the table outwards: how it is read, how it is written, the rules, how calls are done, what follows a death, what travels over HTTP.
 */

const bare = (name) => ({ file: 'test/contract.test.ts', test: name });
const table = (name) => ({ file: 'test/table.test.ts', test: name });
const recovery = (name) => ({ file: 'test/recovery.test.ts', test: name });
const resent = (name) => ({ file: 'test/resent-calls.test.ts', test: name });
const interleavings = {
  file: 'test/interleavings.test.ts',
  test: 'whatever order calls, answers, lookups and deaths of the manager come in',
};
const jwt = (name) => ({ file: 'test/jwt.test.ts', test: name });
const policies = (name) => ({ file: 'test/policies.test.ts', test: name });
const restart = (name) => ({ file: 'test/restart.test.ts', test: name });
const http = (name) => ({ file: 'test/http/contract.test.ts', test: name });
const raw = (name) => ({ file: 'test/http/node-response.test.ts', test: name });
const companions = (name) => ({ file: 'test/http/node-companions.test.ts', test: name });
const every = { file: 'test/http/interleavings.test.ts', test: 'over express 5 S-03' };
const keyed = (name) => ({ file: 'test/keyed-rules.test.ts', test: name });
const store = (name) => ({ file: 'test/express-session-store.test.ts', test: name });

export const bugs = [
  // ---------------------------------------------------------------- reading the table
  {
    name: 'a copied record is believed whatever its checksum',
    file: 'src/protocol/table.ts',
    find: 'sumWords(words, headEnd, count, headEnd);',
    replace: 'words[HEAD.bodySum];',
    caughtBy: recovery('whatever words are broken, nothing throws'),
  },
  {
    name: 'no second look at the pointer after the copy',
    file: 'src/protocol/table.ts',
    find: 'const same = this.pointer(slot) === pointer;',
    replace: 'const same = slot >= 0;',
    caughtBy: table('of a record that is replaced while it is copied, the newer is believed'),
  },
  {
    name: 'a miss is believed though the index was switched',
    file: 'src/protocol/table.ts',
    find: 'if (Atomics.load(this.header, switchWord) === switches) return -1;',
    replace: 'if (switches >= 0) return -1;',
    caughtBy: table('a miss is not believed if the index was switched under it'),
  },
  {
    name: 'a mark is taken for the session’s own, whatever its generation',
    file: 'src/protocol/table.ts',
    find: 'return this.generation(slot) === this.head.generation ? mark : ENDED;',
    replace: 'return this.generation(slot) === this.generation(slot) ? mark : ENDED;',
    caughtBy: {
      file: 'test/handles.test.ts',
      test: 'a session whose place was let again between two looks is not taken for its successor',
    },
  },
  {
    name: 'a digest is compared by its first words only',
    file: 'src/lookup.ts',
    find: 'const isCurrent = sameDigest(head.digest, digest);',
    replace: 'const isCurrent = head.digest[0] === digest[0] && head.digest[1] === digest[1];',
    caughtBy: {
      file: 'test/look-alikes.test.ts',
      test: 'a token opens no session whose digest only begins like its own',
    },
  },
  {
    name: 'a seen mark is stored without a look at what it was',
    file: 'src/protocol/seen.ts',
    find: 'Atomics.compareExchange(words, at, read, markOf(side, now));',
    replace: 'Atomics.exchange(words, at, markOf(side, now));',
    caughtBy: {
      file: 'test/lists.test.ts',
      test: 'a mark is only ever raised, never lowered, and never taken from an ended session',
    },
  },
  {
    name: 'a look that is remembered is trusted, whatever has been published since',
    file: 'src/lookup.ts',
    find: 'if (this.#isCurrent(entry)) {',
    replace: 'if (this.#isCurrent(entry) || entry.handle.alive) {',
    caughtBy: interleavings,
  },
  {
    name: 'the token that a thread drew takes the place of a later one that it was shown',
    file: 'src/session-view.ts',
    find: 'if (this.#newestToken() === undefined) this.#token = shown ?? token;',
    replace: 'if (shown === token) return;',
    caughtBy: {
      file: 'test/handles.test.ts',
      test: 'a thread that hears late of a token that it drew keeps the one that it was shown meanwhile',
    },
  },

  // ---------------------------------------------------------------- writing it
  {
    name: 'a deposed manager writes on',
    file: 'worker/owner.ts',
    find: 'if (Atomics.load(this.header, HEADER.ownerEpoch) !== this.epoch) depose();',
    replace: 'if (Number.isNaN(this.epoch)) depose();',
    caughtBy: recovery('a manager that was given up for dead writes nothing, whatever it is told to do'),
  },
  {
    name: 'freed cells keep what was in them',
    file: 'worker/cells.ts',
    find: 'for (let i = 0; i < CELL_WORDS; i++) cells[start + i] = 0;',
    replace: 'cells[start] = 0;',
    caughtBy: table('what a session left is zeroed after two sweeps'),
  },
  {
    name: 'no quarantine: cells are used again at once',
    file: 'worker/cells.ts',
    find: 'while (this.quarantined > QUARANTINE_CELLS + count) this.#release();',
    replace: 'while (this.quarantined > QUARANTINE_CELLS * 0) this.#release();',
    caughtBy: table('a record that was replaced stays whole for thousands of cells of further changes'),
  },
  {
    name: 'a place is let again under the same generation',
    file: 'worker/table.ts',
    find: 'const next = ((this.view.slots[at + 1] as number) + 1) | 0;',
    replace: 'const next = (this.view.slots[at + 1] as number) | 0;',
    caughtBy: bare('data over the bare rules a handle of a session that ended never reaches the next one in its place'),
  },
  {
    name: 'an index that is rebuilt misses what is entered meanwhile',
    file: 'worker/index-writer.ts',
    find: 'if (this.#isCleared() && this.#put(this.#spare as Int32Array, keyA, keyB, slot)) this.#spareUsed++;',
    replace: '',
    caughtBy: table('all that is live is found, and nothing else, while the index is rebuilt again and again'),
  },
  {
    name: 'a place keeps the reports of its former session',
    file: 'worker/endings.ts',
    find: 'if (Atomics.load(view.reported, slot) !== view.head.generation) continue;',
    replace: '',
    caughtBy: {
      file: 'test/rotation.test.ts',
      test: 'does no harm to the next session in the place of the one it belonged to',
    },
  },

  // ---------------------------------------------------------------- the rules
  {
    name: 'a new session may have a digest that is in use',
    file: 'worker/manager.ts',
    find: 'if (this.#endings.isUsed(call.digest) || this.#sessions.byId(call.id) >= 0) return',
    replace: 'if (this.#sessions.byId(call.id) >= 0) return',
    caughtBy: {
      file: 'test/used.test.ts',
      test: 'is given to nobody else: not at birth, not at login, not by rotation',
    },
  },
  {
    name: 'login takes a digest that its index cannot tell from the old one',
    file: 'worker/token-changes.ts',
    find: "if (table.sameEntry(head.digest, call.digest)) return 'used';",
    replace: '',
    caughtBy: {
      file: 'test/look-alikes.test.ts',
      test: 'a session gets no digest after another that its index could not tell apart',
    },
  },
  {
    name: 'ifVersion is not looked at',
    file: 'worker/manager.ts',
    find: 'ifVersion === undefined || ifVersion === head.version ?',
    replace: 'ifVersion === undefined || head.version >= 0 ?',
    caughtBy: bare('data over the bare rules replace with ifVersion refuses what somebody wrote before'),
  },
  {
    name: 'the old digest stays in the index after login',
    file: 'worker/token-changes.ts',
    find: 'table.digests.remove(oldDigest[0] as number, oldDigest[1] as number, slot);',
    replace: '',
    caughtBy: {
      file: 'test/endings.test.ts',
      test: 'an ended session leaves no entry in any index, whatever tokens it had',
    },
  },
  {
    name: 'the token before stays in the record after login',
    file: 'worker/token-changes.ts',
    find: 'head.hasPrevious = false;',
    replace: '',
    caughtBy: recovery('honours no token that was rotated out before a login'),
  },
  {
    name: 'a rotation lays no way from the token before',
    file: 'worker/token-changes.ts',
    find: 'table.previous.insert(call.from[0] as number, call.from[1] as number, slot);',
    replace: '',
    caughtBy: bare('tokens over the bare rules a rotated token is honoured for its grace to the millisecond'),
  },
  {
    name: 'of two rotations from the same token both are done',
    file: 'worker/token-changes.ts',
    find: 'if (!sameDigest(head.digest, call.from)) {',
    replace: 'if (!sameDigest(head.digest, call.from) && !head.hasPrevious) {',
    caughtBy: interleavings,
  },
  {
    name: 'a login is published before there is a way from its token',
    file: 'worker/token-changes.ts',
    find: `table.digests.insert(call.digest[0] as number, call.digest[1] as number, slot);
        failpoint('login: new digest entered');
        this.#changes.see(slot, now);
        prepared.apply(reply);`,
    replace: `this.#changes.see(slot, now);
        prepared.apply(reply);
        table.digests.insert(call.digest[0] as number, call.digest[1] as number, slot);
        failpoint('login: new digest entered');`,
    caughtBy: interleavings,
  },
  {
    name: 'a change is noted in the journal only after it is published',
    file: 'worker/changes.ts',
    find: `by.journal?.intend({ slot, generation, createdAt, pinned: pins === undefined ? 0 : old });
        failpoint('change: intent noted');
        table.publish(slot, pointer);
        failpoint('change: published');`,
    replace: `table.publish(slot, pointer);
        failpoint('change: published');
        by.journal?.intend({ slot, generation, createdAt, pinned: pins === undefined ? 0 : old });
        failpoint('change: intent noted');`,
    caughtBy: interleavings,
  },
  {
    name: 'a user may have one session more than is allowed',
    file: 'worker/room.ts',
    find: 'this.#sessions.users.count(user) + 1 -',
    replace: 'this.#sessions.users.count(user) -',
    caughtBy: bare('limits over the bare rules maxSessionsPerUser with end-oldest keeps the newest'),
  },
  {
    name: 'data is let in without counting it',
    file: 'worker/room.ts',
    find: 'table.dataBytes + bytes <= this.#limits.maxBytes',
    replace: 'table.dataBytes <= this.#limits.maxBytes',
    caughtBy: bare('limits over the bare rules all of maxBytes can be used, and not one byte more'),
  },
  {
    name: 'a session is freed before it is marked as ended',
    file: 'worker/endings.ts',
    find: 'const mark = Atomics.exchange(slots, markPlace(slot), ENDED);',
    replace: 'const mark = Atomics.load(slots, markPlace(slot));',
    caughtBy: {
      file: 'test/endings.test.ts',
      test: 'a session of which it is told that it is over is found by nobody',
    },
  },
  {
    name: 'the sweep ends a session that was seen while it judged it',
    file: 'worker/endings.ts',
    find: 'if (Atomics.compareExchange(view.slots, markPlace(slot), mark, ENDED) !== mark) return false;',
    replace: 'Atomics.store(view.slots, markPlace(slot), ENDED);',
    caughtBy: {
      file: 'test/endings.test.ts',
      test: 'a session that is seen in its last millisecond, while the sweep judges it, lives on',
    },
  },

  // ---------------------------------------------------------------- how calls are done
  {
    name: 'no gate before Comlink',
    file: 'worker/gate.ts',
    find: '|| !isCall(',
    replace: '|| port === undefined && !isCall(',
    caughtBy: { file: 'test/gate.test.ts', test: 'no read, no write, no constructor, no nested path' },
  },
  {
    name: 'a call that was given up is done all the same',
    file: 'worker/executor.ts',
    find: "if (((by.call - Atomics.load(connection.words, CONNECTION.givenUp)) | 0) <= 0) return 'given-up';",
    replace: '',
    caughtBy: {
      file: 'test/calls.test.ts',
      test: 'lets no call wait beyond callTimeout; what was not begun is never done',
    },
  },
  {
    name: 'it is not said that a call was begun',
    file: 'worker/executor.ts',
    find: 'Atomics.store(connection.words, CONNECTION.begun, by.call | 0);',
    replace: '',
    caughtBy: { file: 'test/calls.test.ts', test: 'which had begun a call: nobody can know, and the call says so' },
  },
  {
    name: 'a call has no deadline',
    file: 'src/connection.ts',
    find: 'if (batch === undefined || batch.deadline > now) break;',
    replace: 'if (batch === undefined || batch.deadline > 0) break;',
    caughtBy: {
      file: 'test/calls.test.ts',
      test: 'lets no call wait beyond callTimeout; what was not begun is never done',
    },
  },

  // ---------------------------------------------------------------- what follows a death
  {
    name: 'calls that were answered are done again',
    file: 'worker/executor.ts',
    find: 'return isDoneAgain(which) ? again()',
    replace: 'return isDoneAgain(which) || i < done ? again()',
    caughtBy: resent('a call is done once and answered once, before whichever write its manager dies'),
  },
  {
    name: 'the record that holds the answer of a take is freed',
    file: 'worker/changes.ts',
    find: 'pins.push(old);',
    replace: 'table.cells.retire(old);',
    caughtBy: resent('what a take has answered is kept until it has arrived'),
  },
  {
    name: 'a call in doubt is taken for not done, whatever record it left',
    file: 'worker/recovery.ts',
    find: 'if (isDone || isEnding) journal.settle(place);',
    replace: 'if (isEnding || (isDone && place < 0)) journal.settle(place);',
    caughtBy: resent('a call is done once and answered once, before whichever write its manager dies'),
  },
  {
    name: 'a successor keeps a record that does not prove itself',
    file: 'worker/recovery.ts',
    find: 'if (!view.copyRecord(pointer)) return false;',
    replace: 'view.copyRecord(pointer);',
    caughtBy: recovery('whatever words are broken, nothing throws'),
  },
  {
    name: 'a successor keeps a record of another generation',
    file: 'worker/recovery.ts',
    find: ' && head.generation === view.generation(slot) &&',
    replace: ' &&',
    caughtBy: recovery('takes a record of another generation of its place for none'),
  },
  {
    name: 'a successor gives two records the same cell',
    file: 'worker/cells.ts',
    find: 'if (!(cell > 0 && cell < touched) || (taken[cell >>> 5] as number) & (1 << (cell & 31))) {',
    replace: 'if (!(cell > 0 && cell < touched)) {',
    caughtBy: recovery('of two whole records that share a cell, keeps one'),
  },
  {
    name: 'a successor lets a free place under the generation that it had',
    file: 'worker/table.ts',
    find: 'if (this.view.slots[at + 1] !== -1) this.#age(slot);',
    replace: 'this.view.slots[at + 1] = (this.view.slots[at + 1] as number) - 1;\n    this.#age(slot);',
    caughtBy: recovery('gives no handle of a former session the next one in its place'),
  },
  {
    name: 'an ending of many that was decided is forgotten',
    file: 'worker/recovery.ts',
    find: 'isDecided && (reasons[slot] as number) & PICKED',
    replace: 'isDecided && slot < 0 && (reasons[slot] as number) & PICKED',
    caughtBy: recovery('ends what an ending of many had picked if that was decided, and nothing if it was not'),
  },
  {
    name: 'a heart that stands still is not noticed',
    file: 'src/supervisor.ts',
    find: 'still < HUNG_AFTER',
    replace: 'still < HUNG_AFTER * 1e6',
    caughtBy: {
      file: 'test/supervisor.test.ts',
      test: 'a manager whose heart stands still is given up after a second',
    },
  },
  {
    name: 'a supervisor that was held up itself gives its manager up',
    file: 'src/supervisor.ts',
    find: 'still = stands && !isLate ?',
    replace: 'still = stands && (!isLate || stands) ?',
    caughtBy: {
      file: 'test/supervisor.test.ts',
      test: 'in which the supervisor itself was never held up',
    },
  },
  {
    name: 'a manager is replaced for ever',
    file: 'src/supervisor.ts',
    find: 'return this.#restartedAt.length < most;',
    replace: 'return most >= 0;',
    caughtBy: restart('more often than is allowed has failed for good; lookups go on'),
  },
  {
    name: 'a successor does not know who listens',
    file: 'worker/serve.ts',
    find: 'connections.subscribe(to, events);',
    replace: 'connections.subscribe(to, events & 0);',
    caughtBy: restart('signals abort and listeners hear, in every thread'),
  },
  {
    name: 'a successor does not know who watches',
    file: 'worker/serve.ts',
    find: 'if (manager.isAlive(target)) connections.watch(to, target.slot);',
    replace: 'if (manager.isAlive(target)) continue;',
    caughtBy: restart('signals abort and listeners hear, in every thread'),
  },
  {
    name: 'a successor does not know which thread a session is linked to',
    file: 'worker/sessions.ts',
    find: 'this.table.dataBytes += head.dataBytes;\n    if (head.linkedTo !== 0) this.#link(head.linkedTo, slot);',
    replace: 'this.table.dataBytes += head.dataBytes;',
    caughtBy: restart('a linked session lives on, and ends with its thread'),
  },

  // ---------------------------------------------------------------- JWTs
  {
    name: 'a JWT may have any header',
    file: 'src/jwt.ts',
    find: 'if (cookie.length > LONGEST || !cookie.startsWith(head)) return undefined;',
    replace: 'if (cookie.length > LONGEST) return undefined;',
    caughtBy: jwt('that were signed with the same key for another purpose are none'),
  },
  {
    name: 'a JWT may have any claims',
    file: 'src/jwt.ts',
    find: '\\\\}$`,',
    replace: '`,',
    caughtBy: jwt('S-24: duplicate keys are none'),
  },
  {
    name: 'a signature may be spelt in any way',
    file: 'src/jwt.ts',
    find: "if (signature.toString('base64url') !== cookie.slice(end + 1)) return undefined;",
    replace: '',
    caughtBy: jwt('S-24: malleable base64 is none'),
  },
  {
    name: 'an ECDSA signature may be its twin',
    file: 'src/jwt.ts',
    find: "if (algorithm === 'ES256' && isGreater(parts.signature)) return undefined;",
    replace: '',
    caughtBy: jwt('an ECDSA signature’s twin, which is as valid, is none'),
  },
  {
    name: 'a JWT that was looked up is remembered beyond its end',
    file: 'src/lookup.ts',
    find: 'Math.min(until, this.#format.goodUntil(text))',
    replace: 'until',
    caughtBy: {
      file: 'test/jwt-sessions.test.ts',
      test: 'an `exp` that passes ends the cookie, also one that was looked up before, and not the session',
    },
  },
  {
    name: 'a public key is taken for a secret',
    file: 'src/cookie-keys.ts',
    find: 'if (algorithm !== undefined && isNoSecret(bytes))',
    replace: 'if (algorithm !== undefined && isNoSecret(bytes) && bytes.length === 0)',
    caughtBy: {
      file: 'test/jwt-keys.test.ts',
      test: 'are no keys of other algorithms: who knows a public key must not be able to sign with it',
    },
  },

  // ---------------------------------------------------------------- policies
  {
    name: 'a policy does not limit timeouts',
    file: 'src/policy.ts',
    find: 'acceptedDuration(most)',
    replace: 'timeoutLimits.most',
    caughtBy: policies('a timeout that a policy does not allow is refused'),
  },
  {
    name: 'a session’s own timeouts are held to no policy',
    file: 'src/manager.ts',
    find: 'limits: timeoutLimitsUnder(settings.policy),',
    replace: 'limits: timeoutLimitsUnder(undefined),',
    caughtBy: policies('a session’s own timeouts are held to the policy, in every thread'),
  },
  {
    name: 'setIdleTimeout is held to no policy',
    file: 'src/session.ts',
    find: 'this.context.limits.idle',
    replace: '{ ...this.context.limits.idle, most: 1e12, orFalse: true }',
    caughtBy: policies('a session’s own timeouts are held to the policy, in every thread'),
  },
  {
    name: 'a cookie is held to no policy',
    file: 'src/options.ts',
    find: 'checkCookieUnder(policy, resolved);',
    replace: 'checkCookieUnder(undefined, resolved);',
    caughtBy: policies('a cookie that a policy does not allow is refused'),
  },

  // ---------------------------------------------------------------- sessions over HTTP
  {
    name: 'a change that comes too late begins a session anew',
    file: 'src/http/request-session.ts',
    find: 'if (session !== undefined) return session.set(patch);',
    replace: 'if (session?.alive) return session.set(patch);\n      if (session !== undefined) this.#holding.letGo();',
    caughtBy: every,
  },
  {
    name: 'a login keeps the session that anybody may have planted',
    file: 'src/http/login.ts',
    find: 'if (before?.alive && before.userId === login.userId) {',
    replace: 'if (before?.alive && before.userId !== null) {',
    caughtBy: http('S-01 two that log in with one planted cookie at the same time get nothing of one another'),
  },
  {
    name: 'what one user left goes over to the next',
    file: 'src/http/login.ts',
    find: 'return session?.userId === undefined ? (session?.data ?? {}) : {};',
    replace: 'return session?.data ?? {};',
    caughtBy: http('S-07 who logs in after another user has another id, and finds nothing of theirs'),
  },
  {
    name: 'a request is told the token that another has been given',
    file: 'src/claim.ts',
    find: 'const token = this.#session.newest(this.#token);',
    replace: 'const token = this.#session.alive ? this.#session.currentToken() : undefined;',
    caughtBy: http('S-04 a request with the old token never hears the new one of a login that came after it'),
  },
  {
    name: 'the answer does not wait for what nobody waited for',
    file: 'src/http/writes.ts',
    find: 'return this.#pending.size === 0;',
    replace: 'return this.#pending.size >= 0;',
    caughtBy: http('changes that nobody waits for are done before the answer is there, and begin one session together'),
  },
  {
    name: 'headers given to writeHead take the place of the cookie',
    file: 'src/http/node-response.ts',
    find: 'const rest = setHeaders(response, args);',
    replace: 'const rest = setHeaders(response, args).length > 9 ? [] : args;',
    caughtBy: raw('S-34 a head by'),
  },
  {
    name: 'a writer that was asked to wait is forgotten',
    file: 'src/http/node-response.ts',
    find: "response.emit('drain');",
    replace: 'response.uncork();',
    caughtBy: raw('a stream arrives whole, however often it is asked to wait'),
  },
  {
    name: 'a cookie is known by a name that is trimmed of all that is space somewhere',
    file: 'src/http/cookie-header.ts',
    find: 'return header.startsWith(name, from) && beforeBlanks(header, from, end) === from + name.length;',
    replace: 'return from >= 0 && header.slice(start, end).trim() === name;',
    caughtBy: http('S-31 the name is compared byte for byte'),
  },
  {
    name: 'of two cookies of the name, the first that opens a session does',
    file: 'src/http/find.ts',
    find: 'live.some(({ session }) => session !== only?.session)',
    replace: 'live.some(({ session }) => session === undefined)',
    caughtBy: http('S-32 of several cookies of the name exactly one may open a session'),
  },
  {
    name: 'whoever is before a trusted proxy is believed as well',
    file: 'src/http/address.ts',
    find: 'const entry = entries.pop();',
    replace: 'const entry = entries.shift();',
    caughtBy: http('S-12 to an address, and only a trusted proxy may tell it'),
  },
  {
    name: 'the cookie is renewed with every answer',
    file: 'src/http/renewal.ts',
    find: 'if (!isFirst && now < 5 * tenth) return false;',
    replace: 'if (now >= before) return true;',
    caughtBy: http(
      'S-05 a rolling cookie is renewed once in a tenth of its age, and never beyond the absolute timeout',
    ),
  },
  {
    name: 'a token against forgery is good for any session',
    file: 'src/claim.ts',
    find: "createHmac('sha256', token)",
    replace: "createHmac('sha256', token.slice(0, 0))",
    caughtBy: http('lets a request change something only if it shows a token of its own session'),
  },
  {
    name: 'anybody’s session is closed by its id',
    file: 'src/http/others.ts',
    find: 'if (other?.userId !== userId) return false;',
    replace: 'if (other === undefined) return false;',
    caughtBy: http('the sessions of a user are listed and ended, and nobody else’s'),
  },
  {
    name: 'caches may keep an answer that sets the cookie',
    file: 'src/http/head.ts',
    find: "head.set('Cache-Control', 'no-store');",
    replace: "head.get('Cache-Control');",
    caughtBy: http('keep no answer that sets the cookie, and give none to another'),
  },

  // ---------------------------------------------------------------- sessions under a caller's own key
  {
    name: 'a key is not buried when its session is closed',
    file: 'worker/endings.ts',
    find: 'const { slots } = this.#sessions.table.view;\n    this.#bury(slot);',
    replace: 'const { slots } = this.#sessions.table.view;',
    caughtBy: keyed('a key whose session has ended as terminated is refused for the absolute timeout'),
  },
  {
    name: 'a key is not buried when its session’s time is over',
    file: 'worker/endings.ts',
    find: "'expired' : 'idle';\n    this.#bury(slot);",
    replace: "'expired' : 'idle';",
    caughtBy: keyed('a key whose session has ended as idle is refused for the absolute timeout'),
  },
  {
    name: 'a key is not buried when many sessions end at once',
    file: 'worker/endings.ts',
    find: '      this.#bury(slot);\n      this.#giveReason(slot, reason, PICKED);',
    replace: '      this.#giveReason(slot, reason, PICKED);',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
  {
    name: 'a key is buried after its session has ended',
    file: 'worker/endings.ts',
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
    file: 'worker/manager.ts',
    find: 'this.#keyed.bury(call);',
    replace: '',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a key is buried for ever',
    file: 'worker/buried.ts',
    find: '(this.#numbers[(at + BURIED.until) / 2] as number) <= now',
    replace: '(this.#numbers[(at + BURIED.until) / 2] as number) < now - now',
    caughtBy: keyed('a key that is closed before its session was there has none for a while'),
  },
  {
    name: 'a token opens a key’s session',
    file: 'src/lookup.ts',
    find: 'if (head.isKeyed !== keyed) return false;',
    replace: 'if (keyed && !head.isKeyed) return false;',
    caughtBy: keyed('neither opens what the other does'),
  },
  {
    name: 'a session under a key is given a token by login',
    file: 'worker/token-changes.ts',
    find: "if (table.view.head.isKeyed) return 'ERR_TOKEN_UNKNOWN';",
    replace: '',
    caughtBy: keyed('a session under a key cannot log in or rotate'),
  },
  {
    name: 'a session under a key begins anew with each put',
    file: 'worker/keyed.ts',
    find: 'head.expiresAt = createdAt + call.absolute;',
    replace: 'head.expiresAt = now + call.absolute;',
    caughtBy: keyed('never grows older than its absolute timeout, however often it is put'),
  },
  {
    name: 'a session that has ended and is not freed yet hides the next one under its key',
    file: 'src/lookup.ts',
    find: 'if (keyed && view.liveMark(slot) === ENDED) return false;',
    replace: '',
    caughtBy: keyed('a key whose session has ended as stopped is refused for the absolute timeout'),
  },
  {
    name: 'a store hands out data that others have as well',
    file: 'src/http/stored-session.ts',
    find: 'return Object.assign(thawed(kept.data), { cookie:',
    replace: 'return Object.assign({ ...kept.data }, { cookie:',
    caughtBy: store('are each caller’s own'),
  },
  {
    name: 'a touch asks the manager each time',
    file: 'src/http/cookie-expiry.ts',
    find: 'Math.min(Math.ceil(isJustTouched ? originalMaxAge : left), LONGEST)',
    replace: 'Math.min(Math.ceil(isJustTouched ? left - 1 : left), LONGEST)',
    caughtBy: store('keeps the session for as long again, sends nothing'),
  },
  {
    name: 'a login as nobody is let in',
    file: 'src/protocol/calls.ts',
    find: 'if (user.length === 0) throw',
    replace: 'if (user.length > MAX_TEXT_BYTES) throw',
    caughtBy: { file: 'test/frames.test.ts', test: 'a login as nobody, which no caller can send, is refused' },
  },
  {
    name: 'a cookie that is due is kept back by an answer that never looked at the session',
    file: 'src/http/request-session.ts',
    find: 'if (this.#holding.isCookieDue) this.#guard(false);',
    replace: '',
    caughtBy: http('one that is due is sent with an answer that never looked at the session'),
  },
  {
    name: 'a session is begun for an answer whose head is out',
    file: 'src/http/request-session.ts',
    find: 'if (!this.#exchange.guard(this, changed)) this.#isHeadOut = true;',
    replace: 'this.#exchange.guard(this, changed);',
    caughtBy: raw('a change that begins only once the head of'),
  },
  {
    name: 'every request of Express has a shape of its own',
    file: 'src/http/shapes.ts',
    find: 'if (!isNeeded) return;',
    replace: 'if (isNeeded) return;',
    caughtBy: companions('requests have shapes in common'),
  },
  {
    name: 'a disguise is never seen through again',
    file: 'src/http/disguise.ts',
    find: 'for (const [name, former] of state.formers)',
    replace: 'for (const [name, former] of [...state.formers].slice(9))',
    caughtBy: companions('is refused while the answer waits, and is there again afterwards'),
  },
  {
    name: 'a head that Node asks for is held back, and what it was asked for goes out without one',
    file: 'src/http/node-response.ts',
    find: 'if (original === undefined) return;',
    replace: 'if (original !== null) return;',
    caughtBy: companions('an answer that a middleware used after it defers goes out whole'),
  },
];
