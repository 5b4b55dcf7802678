/** The interface of a cookie format. Used in every thread of the host. */

/** The length of 32 bytes, a token or a SHA-256, as base64url without padding. */
export const CODED_LENGTH = 43;

/**
 * When the token was issued, and when its session reaches its absolute timeout (Infinity: never). In milliseconds of
 * session time.
 */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly endsAt: number;
}

/** Converts between a cookie's value and the token in it. */
export interface CookieFormat {
  /**
   * The token. Undefined if this format cannot have made the cookie, or it has expired at `now`. Accepts any string and
   * never throws. Does not tell whether a session has this token.
   */
  tokenOf(cookie: string, now: number): string | undefined;
  /**
   * When a cookie that `tokenOf` has accepted expires, in milliseconds of session time; Infinity if the format sets no
   * end.
   */
  goodUntil(cookie: string): number;
  /** Whether a cookie that `tokenOf` has accepted was signed with a key that is not the first. */
  isOutdated(cookie: string): boolean;
  /** The value of the cookie for this token. */
  valueOf(token: string, times: TokenTimes): string;
}
