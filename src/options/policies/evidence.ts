/** The tests that show more than one requirement to be met. */

import type { TestedBy } from './requirement.js';

const sessions = (test: string): TestedBy => ({ file: 'test/contract/contract.ts', test });
const endings = (test: string): TestedBy => ({ file: 'test/contract/contract-endings.ts', test });
const life = (test: string): TestedBy => ({ file: 'test/http/contract-life.ts', test });
const guards = (test: string): TestedBy => ({ file: 'test/http/contract-guards.ts', test });
const policies = (test: string): TestedBy => ({ file: 'test/options/policies.test.ts', test });

export const evidence = {
  misses: sessions('undefined, rubbish, another token and an ended session are all a miss'),
  unique: sessions('a token in use is drawn again, and no live session loses its own'),
  random: policies('a token is 256 random bits, and two of them have nothing in common'),
  login: sessions('login ends the old token at once, names the user and starts both timeouts anew'),
  noComeback: sessions('an ended session never comes back: every late change is refused'),
  closed: endings('a closed session is gone, told with its reason and note, and its signal aborts'),
  idle: endings('a session not seen for its idle timeout is gone at that millisecond, swept or not'),
  absolute: endings('the absolute timeout ends the busiest session, and wins a tie'),
  closedByUser: endings('a user’s sessions are listed and closed by the user they have now'),
  closedByFilter: endings('closeAllSessions ends what its filter picks and nothing else, and says how many'),
  limited: policies('a timeout that a policy does not allow is refused, with the requirement’s number'),
  limitedBySession: policies('a session’s own timeouts are held to the policy, in every thread'),
  cookie: policies('a cookie that a policy does not allow is refused, with the requirement’s number'),
  httpOnly: { file: 'test/cookies/cookies.test.ts', test: 'is complete, and HttpOnly always' },
  cleared: {
    file: 'test/cookies/cookies.test.ts',
    test: 'that clears names the same cookie, empty and over, even where the cookie is not persistent',
  },
  loginOverHttp: life('S-01 login makes a new session under a new token, and the one before it opens nothing'),
  logoutOverHttp: life('logout ends the session, and the browser forgets its cookie'),
  othersOverHttp: life('the sessions of a user are listed and ended, and nobody else’s'),
  recentLogin: guards('lets in who is logged in, and for what is sensitive, who has logged in lately'),
  forged: guards('lets a request change something only if it shows a token of its own session'),
  foreign: guards('refuses what another site sends, whatever it shows'),
  caches: {
    file: 'test/http/contract-cookies.ts',
    test: 'keep no answer that sets the cookie, and give none to another',
  },
  browser: policies('under NIST’s policies a cookie ends with the browser, unless it is told otherwise'),
} as const satisfies Readonly<Record<string, TestedBy>>;
