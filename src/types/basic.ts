/** The words that all of the public face uses. */

/** Milliseconds as a number, or text such as '90s', '30m', '8h', '14d'. */
export type Duration = number | string;

/** A session's public name: safe to log, opens nothing. Its form differs from any cookie's. */
export type SessionId = string & { readonly [idBrand]: true };
declare const idBrand: unique symbol;

/**
 * What an application keeps in a session: an object whose values are null, booleans, finite and other numbers, strings,
 * bigints, Dates, Maps, Sets, ArrayBuffers and typed arrays, and plain objects and arrays of these, at most 64 levels
 * deep. Everything else is refused with ERR_INVALID_DATA that names the path.
 */
export type SessionData = object;
