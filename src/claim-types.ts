/** What a client holds of a session, as the public face names it: for adapters. */

import type { CookieData } from './cookie-types.js';
import type { Session, SessionData } from './types.js';

/** What a client holds of a session: a token, and by right whichever follows it while it is honoured. Of use for as long as a request takes; shows no token. */
export interface Claim<D extends SessionData = Record<string, unknown>> {
  readonly session: Session<D>;
  /** Whether this client still has a right to the session: false once that has ended, or gone over to a token that did not follow the client's. */
  readonly isGood: boolean;
  /** Whether it is to be sent another cookie than it came with: the token was replaced, or is signed with a key that does not sign any more. */
  readonly isNews: boolean;
  /** Marks the session as seen, and says what that changed; undefined if it has ended. No message. */
  see(): Seen | undefined;
  /** The cookie to send; undefined where the claim is no good. Signed anew each time: ask only for what is sent. */
  getCookieData(): CookieData | undefined;
  /** Where the option `rotation` has the token renewed by now, does so: of many that ask, in all threads, one does. Undefined where nothing is due. Never rejects. */
  renew(): Promise<void> | undefined;
  /** 32 bytes derived from the current token under a label, and the same from the one in the client's cookie if that is another: for tokens against forged requests. */
  secrets(label: string): readonly Uint8Array[];
}

/** How a session stood when a request came. In session time: milliseconds, Infinity for never. */
export interface Seen {
  /** When it was seen before, and now. */
  readonly before: number;
  readonly now: number;
  /** When it would have ended, had it not been seen now, and when it ends after that. */
  readonly endedAt: number;
  readonly endsAt: number;
  readonly tokenIssuedAt: number;
}
