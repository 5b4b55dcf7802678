/** What a cookie's value is made of: the one face of the formats. Used in every thread of the host. */

/** 32 bytes, a token or a SHA-256, as base64url without padding. */
export const CODED_LENGTH = 43;

/**
 * Of the token that a cookie carries, in milliseconds of session time: when it was given out, and when its session
 * ends, however busy (Infinity: never).
 */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly endsAt: number;
}

/** From a cookie's value to the token in it, and back. */
export interface CookieFormat {
  /**
   * The token, or undefined for what this format cannot have made, or has made for a time that is over at `now`. Takes
   * any string and never throws. Says nothing about whether a session has this token.
   */
  tokenOf(cookie: string, now: number): string | undefined;
  /**
   * Until when a cookie that `tokenOf` has taken is good, in milliseconds of session time: Infinity where the cookie
   * itself sets no end.
   */
  goodUntil(cookie: string): number;
  /** Whether a cookie that `tokenOf` has taken was signed with a key that does not sign any more. */
  isOutdated(cookie: string): boolean;
  /** What a cookie holds to carry this token. */
  valueOf(token: string, times: TokenTimes): string;
}
