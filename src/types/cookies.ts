/** Cookies, as the public face names them: how a user wants them, and what is sent. */

import type { KeyObject } from 'node:crypto';

export interface CookieOptions {
  /** Default '__Host-id' (or 'id' when `secure` is false). */
  name?: string;
  /**
   * 'opaque' (default): the token itself, 256 random bits. 'signed': the token and an HMAC.
   * 'jwt': a JWT with the claims `token` and `exp`, so that a gateway can check it by itself.
   */
  format?: 'opaque' | 'signed' | 'jwt';
  /** For 'signed' and 'jwt': the first signs, all verify, so that a key can be rotated out. */
  keys?: readonly (string | Uint8Array | KeyObject)[];
  /** For 'jwt': default 'EdDSA'. A cookie that names another algorithm is refused. */
  algorithm?: 'EdDSA' | 'RS256' | 'ES256' | 'HS256';
  secure?: boolean; // default true
  sameSite?: 'lax' | 'strict' | 'none'; // default 'lax'
  path?: string; // default '/'
  domain?: string; // default none
  partitioned?: boolean; // default false
  /** false: a cookie that ends with the browser. Default true. HttpOnly is always set. */
  persistent?: boolean;
}

export interface CookieData {
  readonly name: string;
  readonly value: string;
  /** Seconds; undefined for a session that never ends and for a cookie that ends with the browser. */
  readonly maxAge: number | undefined;
  /** A complete Set-Cookie header value. */
  toString(): string;
}
