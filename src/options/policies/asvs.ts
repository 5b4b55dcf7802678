/**
 * The requirements of OWASP ASVS 5.0 that concern sessions: chapter V7, cookies from V3.3, and self-contained tokens
 * from V9. The texts are ours, the numbers theirs.
 */

import { evidence } from './evidence.js';
import type { Requirement, TestedBy } from './requirement.js';

const jwt = (test: string): TestedBy => ({ file: 'test/cookies/jwt.test.ts', test });
const limits = (test: string): TestedBy => ({ file: 'test/contract/contract-limits.ts', test });

export const asvs: readonly Requirement[] = [
  // ------------------------------------------------------------ V7.1 documentation
  {
    number: '7.1.1',
    level: 'L2',
    text: 'How long a session may be idle and how long it may last is written down and fits the rest, and where it deviates from NIST SP 800-63B the reason is given',
    by: 'application',
    how: 'the values of `idleTimeout` and `absoluteTimeout`, and your reasons; the policies nist-aal1 to nist-aal3 have the figures to compare with',
    tested: [],
  },
  {
    number: '7.1.2',
    level: 'L2',
    text: 'How many sessions one account may have at once, and what happens beyond that, is written down',
    by: 'application',
    how: 'written down by you, kept by `maxSessionsPerUser` and `whenOverLimit`',
    tested: [
      limits('maxSessionsPerUser with reject is exact under 200 concurrent calls, logins among them'),
      limits('maxSessionsPerUser with end-oldest keeps the newest, and a login again counts as none'),
    ],
  },
  {
    number: '7.1.3',
    level: 'L2',
    text: 'All systems that make sessions in a federation are written down, with how they agree on ends and logins',
    by: 'application',
    how: 'written down by you',
    tested: [],
  },

  // ------------------------------------------------------------ V7.2 fundamentals
  {
    number: '7.2.1',
    level: 'L1',
    text: 'Tokens are verified by a trusted service, never by the client',
    by: 'library',
    how: '`getSession` looks the token’s digest up in the server’s memory',
    tested: [evidence.misses],
  },
  {
    number: '7.2.2',
    level: 'L1',
    text: 'Tokens are made for each session; none is a fixed key or API secret',
    by: 'library',
    how: 'a token is drawn for each `newSession`, `login` and `rotate`',
    tested: [
      {
        file: 'test/contract/used.test.ts',
        test: 'a live session’s token, and the one it had before, is given to nobody else: not at birth, not at login, not by rotation',
      },
    ],
  },
  {
    number: '7.2.3',
    level: 'L1',
    text: 'Tokens are unique, come from a cryptographically secure generator and have at least 128 bits',
    by: 'library',
    how: '256 bits from node:crypto; a token that a live session has is drawn again',
    tested: [evidence.random, evidence.unique],
  },
  {
    number: '7.2.4',
    level: 'L1',
    text: 'Logging in, for the first time or again, makes a new token and ends the one before',
    by: 'library',
    how: '`login`: the old token ends at once, in every thread; in the adapters, the session that nobody was logged in to ends with it',
    tested: [evidence.login, evidence.loginOverHttp],
  },

  // ------------------------------------------------------------ V7.3 timeouts
  {
    number: '7.3.1',
    level: 'L2',
    text: 'A session that is not used ends after a time that was decided on and written down',
    by: 'option',
    how: '`idleTimeout`, of the manager, of a session and by `setIdleTimeout`: false is refused',
    tested: [evidence.limited, evidence.limitedBySession, evidence.idle],
  },
  {
    number: '7.3.2',
    level: 'L2',
    text: 'A session ends at an age that was decided on and written down, however much it is used',
    by: 'option',
    how: '`absoluteTimeout`, of the manager and of a session: false is refused',
    tested: [evidence.limited, evidence.limitedBySession, evidence.absolute],
  },

  // ------------------------------------------------------------ V7.4 termination
  {
    number: '7.4.1',
    level: 'L1',
    text: 'Logout and expiry end the session for good: neither the back button nor another service resumes it',
    by: 'library',
    how: '`close` and the timeouts, for every thread at once; the adapters tell caches which answers are for one client alone',
    tested: [
      evidence.closed,
      evidence.idle,
      evidence.absolute,
      evidence.noComeback,
      evidence.logoutOverHttp,
      evidence.caches,
    ],
  },
  {
    number: '7.4.2',
    level: 'L1',
    text: 'All sessions of an account that is disabled or deleted end',
    by: 'application',
    how: 'calls `closeAllSessions({ userId })`',
    tested: [evidence.closedByUser],
  },
  {
    number: '7.4.3',
    level: 'L2',
    text: 'Whoever has changed a password or another factor is offered to end all other sessions',
    by: 'application',
    how: 'calls `closeOthers` of a request’s session, or `closeAllSessions({ userId, except })`',
    tested: [evidence.closedByFilter, evidence.othersOverHttp],
  },
  {
    number: '7.4.4',
    level: 'L2',
    text: 'Every page behind a login shows a way to log out',
    by: 'application',
    how: 'shows it, and calls `logout` of a request’s session, or `close`',
    tested: [evidence.logoutOverHttp],
  },
  {
    number: '7.4.5',
    level: 'L2',
    text: 'Administrators can end the sessions of one user and of all',
    by: 'application',
    how: 'calls `closeAllSessions({ userId })` and `closeAllSessions()` for them',
    tested: [evidence.closedByUser, evidence.closedByFilter],
  },

  // ------------------------------------------------------------ V7.5 abuse
  {
    number: '7.5.1',
    level: 'L2',
    text: 'Changing what logging in or recovery depends on asks for a login before',
    by: 'application',
    how: 'calls `requireLogin({ within })` of a request’s session, or compares `authenticatedAt` with now; and `login` after asking again',
    tested: [evidence.login, evidence.recentLogin],
  },
  {
    number: '7.5.2',
    level: 'L2',
    text: 'Users can see their sessions and, having logged in again, end any of them',
    by: 'application',
    how: 'shows `listOthers`, calls `requireLogin({ within })`, then `closeOther` or `closeOthers`; without an adapter, `getAllSessions({ userId })`, `authenticatedAt`, `sessionWantsToClose`',
    tested: [evidence.closedByUser, evidence.othersOverHttp, evidence.recentLogin],
  },
  {
    number: '7.5.3',
    level: 'L3',
    text: 'What is highly sensitive asks for a login or a second check before',
    by: 'application',
    how: 'calls `requireLogin({ within })` of a request’s session, or compares `authenticatedAt` with now; and `login` after asking again',
    tested: [evidence.login, evidence.recentLogin],
  },

  // ------------------------------------------------------------ V7.6 federation
  {
    number: '7.6.1',
    level: 'L2',
    text: 'Sessions here and at the identity provider last and end as was written down',
    by: 'application',
    how: 'gives `newSession` an `absoluteTimeout` of its own, and calls `closeAllSessions` when the provider says so',
    tested: [],
  },
  {
    number: '7.6.2',
    level: 'L2',
    text: 'No session begins without the user’s consent or doing',
    by: 'application',
    how: 'calls `newSession` and `login` only then: reading a cookie never makes a session',
    tested: [evidence.misses],
  },

  // ------------------------------------------------------------ V3.3 cookies
  {
    number: '3.3.1',
    level: 'L1',
    text: 'The cookie is Secure, and its name begins with __Host- or else with __Secure-',
    by: 'option',
    how: '`cookie.secure` and `cookie.name`: anything else is refused',
    tested: [evidence.cookie],
  },
  {
    number: '3.3.2',
    level: 'L2',
    text: 'SameSite is as strict as the cookie’s purpose allows, against forged requests',
    by: 'option',
    how: '`cookie.sameSite`: lax by default, none is refused',
    tested: [evidence.cookie],
  },
  {
    number: '3.3.3',
    level: 'L2',
    text: 'The name begins with __Host-, unless the cookie is made to be shared with other hosts',
    by: 'option',
    how: '`cookie.name`: anything else is refused where no `cookie.domain` is given',
    tested: [evidence.cookie],
  },
  {
    number: '3.3.4',
    level: 'L2',
    text: 'The cookie is HttpOnly, and its value reaches the client by Set-Cookie alone',
    by: 'library',
    how: 'HttpOnly is always set (that the value is sent in no other way is up to the application)',
    tested: [evidence.httpOnly],
  },
  {
    number: '3.3.5',
    level: 'L3',
    text: 'Name and value of the cookie have at most 4096 bytes together',
    by: 'library',
    how: 'names, tokens and keys are limited so that no format comes near',
    tested: [
      {
        file: 'test/options/policies.test.ts',
        test: 'name and value of the largest cookie there is are under 4096 bytes',
      },
    ],
  },

  // ------------------------------------------------------------ V9 self-contained tokens (cookie format 'jwt')
  {
    number: '9.1.1',
    level: 'L1',
    text: 'Where the cookie is a JWT: its signature is checked before anything in it is used',
    by: 'library',
    how: '`getSession` looks up no token of a cookie whose signature does not fit',
    tested: [jwt('S-24: another key’s signature is none, nor is another cookie’s')],
  },
  {
    number: '9.1.2',
    level: 'L1',
    text: 'Where the cookie is a JWT: only listed algorithms are used, not none, and symmetric and asymmetric ones are not mixed up',
    by: 'library',
    how: 'one algorithm, by `cookie.algorithm`; keys that do not fit it are refused',
    tested: [
      jwt('S-24: `none` is none, in any letter case, with and without a signature'),
      jwt('S-24: swapped algorithms are none: a public key is no secret, and no other algorithm is heard of'),
    ],
  },
  {
    number: '9.1.3',
    level: 'L1',
    text: 'Where the cookie is a JWT: keys come from the configuration, never from the token',
    by: 'library',
    how: '`cookie.keys`; a cookie that names or brings a key is none',
    tested: [
      jwt('S-24: a `kid` is none, whatever it names, and so are keys and places of keys that come with the cookie'),
    ],
  },
  {
    number: '9.2.1',
    level: 'L1',
    text: 'Where the cookie is a JWT: it is taken only within the times it states',
    by: 'library',
    how: '`exp` is checked at each lookup, and the session’s own timeouts with it',
    tested: [jwt('end with the session’s absolute timeout, in whole seconds and no sooner, and a tolerance after it')],
  },
  {
    number: '9.2.2',
    level: 'L2',
    text: 'Where the cookie is a JWT: it is of the type and for the purpose that is expected',
    by: 'library',
    how: 'a type of its own in the header; JWTs for anything else are none',
    tested: [jwt('that were signed with the same key for another purpose are none')],
  },
  {
    number: '9.2.3',
    level: 'L2',
    text: 'Where the cookie is a JWT: only what was made for this service is taken',
    by: 'library',
    how: 'the token in it is looked up: one that this manager did not give out finds nothing',
    tested: [
      {
        file: 'test/cookies/jwt-sessions.test.ts',
        test: 'the table is the truth: no `exp` keeps a session alive that has ended',
      },
    ],
  },
  {
    number: '9.2.4',
    level: 'L2',
    text: 'Where the cookie is a JWT: a key that signs for several services names the service in each token',
    by: 'application',
    how: 'uses `cookie.keys` for this service’s sessions and nothing else',
    tested: [],
  },
];
