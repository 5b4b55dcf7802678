/** What travels over HTTP. */

const http = (name) => ({ file: 'test/http/contract.test.ts', test: name });
const raw = (name) => ({ file: 'test/http/node-response.test.ts', test: name });
const companions = (name) => ({ file: 'test/http/node-companions.test.ts', test: name });
const every = { file: 'test/http/interleavings.test.ts', test: 'over express 5 S-03' };
const store = (name) => ({ file: 'test/express-session-store.test.ts', test: name });

export const ofHttp = [
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
