/** The types of cookies in the public API: the options, and what is sent. */

import type { KeyObject } from 'node:crypto';

export interface CookieOptions {
  /** Default '__Host-id' (or 'id' when `secure` is false). */
  name?: string;
  /**
   * 'opaque' (default): the token itself, 256 random bits. 'signed': the token and an HMAC of it. 'jwt': a JWT with the
   * claims `token` and `exp`, which a gateway can verify by itself.
   */
  format?: 'opaque' | 'signed' | 'jwt';
  /**
   * For 'signed' and 'jwt', 1 to 16 keys. The first one signs, all verify, so that a key can be replaced without a
   * break.
   */
  keys?: readonly (string | Uint8Array | KeyObject)[];
  /** For 'jwt'. Default 'EdDSA'. Cookies with another algorithm are refused. */
  algorithm?: 'EdDSA' | 'RS256' | 'ES256' | 'HS256';
  /** Default true. With false, the cookie is also sent over plain HTTP. */
  secure?: boolean;
  /** Default 'lax'. 'none' needs `secure`. */
  sameSite?: 'lax' | 'strict' | 'none';
  /** Default '/'. */
  path?: string;
  /** Default: none, so that the cookie is sent to this host only. */
  domain?: string;
  /** Default false. Needs `secure`. */
  partitioned?: boolean;
  /** Whether the cookie outlives the browser, by Max-Age. Default true. HttpOnly is always set. */
  persistent?: boolean;
}

export interface CookieData {
  readonly name: string;
  readonly value: string;
  /** In seconds; undefined for a session that never ends, and for a cookie that ends with the browser. */
  readonly maxAge: number | undefined;
  /** A complete Set-Cookie header value. */
  toString(): string;
}
