/**
 * The requirements of NIST SP 800-63B-4 that concern sessions: section 5, and the times of section 2. The texts are
 * ours, the numbers theirs.
 */

import { evidence } from './evidence.js';
import type { Requirement } from './requirement.js';

/** The requirements of all assurance levels. */
export const nist: readonly Requirement[] = [
  // ------------------------------------------------------------ 5.1 session bindings
  {
    number: '5.1 (1)',
    level: 'shall',
    text: 'The secret of a session is made during or right after authentication',
    by: 'library',
    how: '`login` gives the session a new token, and ends the one before',
    tested: [evidence.login, evidence.loginOverHttp],
  },
  {
    number: '5.1 (2)',
    level: 'shall',
    text: 'It comes from an approved random bit generator and has at least 64 bits',
    by: 'library',
    how: '256 bits from node:crypto (where a validated module is asked for, Node must be built with one)',
    tested: [evidence.random],
  },
  {
    number: '5.1 (3)',
    level: 'shall',
    text: 'It is erased or made invalid when the user logs out',
    by: 'library',
    how: '`close` ends it for every thread at once; `clearCookieData` removes the cookie',
    tested: [evidence.closed, evidence.cleared, evidence.logoutOverHttp],
  },
  {
    number: '5.1 (4)',
    level: 'shall',
    text: 'It is transferred through an authenticated, protected channel',
    by: 'application',
    how: 'serves HTTPS; the policy refuses a cookie without Secure',
    tested: [evidence.cookie],
  },
  {
    number: '5.1 (5)',
    level: 'shall',
    text: 'It is not accepted any more once the times of its assurance level are over',
    by: 'option',
    how: '`idleTimeout` and `absoluteTimeout`, exact at each lookup',
    tested: [evidence.idle, evidence.absolute, evidence.limited],
  },
  {
    number: '5.1 (6)',
    level: 'shall',
    text: 'It is out of reach for whatever stands between the user’s endpoint and the service',
    by: 'application',
    how: 'ends TLS where sessions are served, or where it is trusted as much',
    tested: [],
  },
  {
    number: '5.1',
    level: 'should',
    text: 'The secret does not survive a restart of the browser',
    by: 'option',
    how: '`cookie.persistent`: false by default under the policy. Not refused: 5.1.1 (4) is met by true',
    tested: [evidence.browser],
  },
  {
    number: '5.1',
    level: 'shall',
    text: 'An authenticated session never falls back to an insecure transport',
    by: 'option',
    how: '`cookie.secure`: false is refused, and a browser sends a Secure cookie over HTTPS alone',
    tested: [evidence.cookie],
  },
  {
    number: '5.1',
    level: 'shall',
    text: 'What is posted holds something of the session that is verified, against forged requests',
    by: 'application',
    how: 'calls `csrfToken` and `checkCsrf` of a request’s session; SameSite stands beside it',
    tested: [evidence.forged, evidence.foreign],
  },
  {
    number: '5.1',
    level: 'should',
    text: 'Users can log out easily',
    by: 'application',
    how: 'shows a way to, and calls `logout` of a request’s session, or `close`',
    tested: [evidence.logoutOverHttp],
  },

  // ------------------------------------------------------------ 5.1.1 browser cookies
  {
    number: '5.1.1 (1)',
    level: 'shall',
    text: 'The cookie is sent over HTTPS alone',
    by: 'option',
    how: '`cookie.secure`: false is refused',
    tested: [evidence.cookie],
  },
  {
    number: '5.1.1 (2)',
    level: 'shall',
    text: 'The cookie goes to as few hosts and paths as is practical',
    by: 'option',
    how: 'a name that begins with __Host- is demanded: one host, and no `cookie.domain`',
    tested: [evidence.cookie],
  },
  {
    number: '5.1.1 (3)',
    level: 'should',
    text: 'The cookie is out of reach for JavaScript',
    by: 'library',
    how: 'HttpOnly is always set',
    tested: [evidence.httpOnly],
  },
  {
    number: '5.1.1 (4)',
    level: 'should',
    text: 'The cookie expires with its session or soon after, and no timeout relies on that',
    by: 'library',
    how: 'it ends with the browser, or by Max-Age with the session; timeouts are the table’s',
    tested: [
      evidence.idle,
      {
        file: 'test/cookies/cookies.test.ts',
        test: 'has a Max-Age in whole seconds, unless the cookie ends with the browser',
      },
    ],
  },
  {
    number: '5.1.1 (5)',
    level: 'should',
    text: 'The name begins with __Host-, and the path is /',
    by: 'option',
    how: '`cookie.name`: another is refused, and with it any other `cookie.path`',
    tested: [evidence.cookie],
  },
  {
    number: '5.1.1 (6)',
    level: 'should',
    text: 'SameSite is Lax or Strict',
    by: 'option',
    how: '`cookie.sameSite`: none is refused',
    tested: [evidence.cookie],
  },
  {
    number: '5.1.1 (7)',
    level: 'should',
    text: 'The cookie holds an opaque text and nothing else, and nothing about a person',
    by: 'option',
    how: '`cookie.format`: a JWT, whose claims can be read, is refused',
    tested: [evidence.cookie],
  },

  // ------------------------------------------------------------ 5.2 reauthentication
  {
    number: '5.2',
    level: 'shall',
    text: 'A session ends when either of its timeouts has passed; activity starts the inactivity timeout anew, and a login both',
    by: 'library',
    how: 'lookups and `touch` mark the session as seen; `login` starts both timeouts anew',
    tested: [evidence.idle, evidence.absolute, evidence.login],
  },
  {
    number: '5.2',
    level: 'shall',
    text: 'The timeouts in force are written down in a security plan',
    by: 'application',
    how: 'written down by you',
    tested: [],
  },
];

/** The times of one assurance level; `section` is the level's own. */
export function nistTimes(section: string, overall: string, inactivity: string | undefined): readonly Requirement[] {
  const tested = [evidence.limited, evidence.limitedBySession];
  const age: Requirement = {
    number: section,
    level: section === '2.3.3' ? 'shall' : 'should',
    text: `A login is asked for again after ${overall} at the latest, however much the session is used`,
    by: 'option',
    how: '`absoluteTimeout`, of the manager and of a session: more, or false, is refused',
    tested: [...tested, evidence.absolute],
  };
  if (inactivity === undefined) return [age];
  const idle: Requirement = {
    number: section,
    level: 'should',
    text: `A login is asked for again after ${inactivity} without activity`,
    by: 'option',
    how: '`idleTimeout`, of the manager, of a session and by `setIdleTimeout`: more, or false, is refused',
    tested: [...tested, evidence.idle],
  };
  return [age, idle];
}
