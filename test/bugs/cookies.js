/** JWTs, and what policies demand. */

import { jwt, policies } from './caught-by.js';

export const ofCookies = [
  {
    name: 'a JWT may have any header',
    in: 'createJwtFormat',
    find: 'if (cookie.length > LONGEST || !cookie.startsWith(head)) return undefined;',
    replace: 'if (cookie.length > LONGEST) return undefined;',
    caughtBy: jwt('that were signed with the same key for another purpose are none'),
  },
  {
    name: 'a JWT may have any claims',
    in: 'partsOf',
    find: 'PAYLOAD.exec(text)',
    // Without what it ends with.
    replace: 'new RegExp(PAYLOAD.source.slice(0, -3)).exec(text)',
    caughtBy: jwt('S-24: duplicate keys are none'),
  },
  {
    name: 'a signature may be spelt in any way',
    in: 'partsOf',
    find: "if (signature.toString('base64url') !== cookie.slice(end + 1)) return undefined;",
    replace: '',
    caughtBy: jwt('S-24: malleable base64 is none'),
  },
  {
    name: 'an ECDSA signature may be its twin',
    in: 'createJwtFormat',
    find: "if (algorithm === 'ES256' && isGreater(parts.signature)) return undefined;",
    replace: '',
    caughtBy: jwt('an ECDSA signature’s twin, which is as valid, is none'),
  },
  {
    name: 'a JWT that was looked up is remembered beyond its end',
    in: 'Lookup.#byDigest',
    find: 'Math.min(until, this.#format.goodUntil(text))',
    replace: 'until',
    caughtBy: {
      file: 'test/cookies/jwt-sessions.test.ts',
      test: 'an `exp` that passes ends the cookie, also one that was looked up before, and not the session',
    },
  },
  {
    name: 'a public key is taken for a secret',
    in: 'importSecret',
    find: 'if (isNoSecret(bytes))',
    replace: 'if (false)',
    caughtBy: {
      file: 'test/cookies/jwt-keys.test.ts',
      test: 'are no keys of other algorithms: who knows a public key must not be able to sign with it',
    },
  },
  {
    name: 'a public key is a secret of the format signed',
    in: 'importSecret',
    find: 'if (isNoSecret(bytes)) throw',
    replace: 'if (false) throw',
    caughtBy: {
      file: 'test/cookies/jwt-keys.test.ts',
      test: "secrets of the format 'signed' are no keys of other algorithms either",
    },
  },
  {
    name: 'a policy does not limit timeouts',
    in: 'limitsOf',
    find: 'acceptedDuration(most)',
    replace: 'timeoutLimits.most',
    caughtBy: policies('a timeout that a policy does not allow is refused'),
  },
  {
    name: 'a session’s own timeouts are held to no policy',
    in: 'ManagerClient.constructor',
    find: 'limits: timeoutLimitsUnder(settings.policy),',
    replace: 'limits: timeoutLimitsUnder(undefined),',
    caughtBy: policies('a session’s own timeouts are held to the policy, in every thread'),
  },
  {
    name: 'setIdleTimeout is held to no policy',
    in: 'SessionHandle.setIdleTimeout',
    find: 'this.context.limits.idle',
    replace: '{ ...this.context.limits.idle, most: 1e12, orFalse: true }',
    caughtBy: policies('a session’s own timeouts are held to the policy, in every thread'),
  },
  {
    name: 'a cookie is held to no policy',
    in: 'resolveCookie',
    find: 'checkCookieUnder(policy, resolved);',
    replace: 'checkCookieUnder(undefined, resolved);',
    caughtBy: policies('a cookie that a policy does not allow is refused'),
  },
];
