/** The basic types of the public API. */

/** Milliseconds as a number, or a text such as '90s', '30m', '8h', '14d'. */
export type Duration = number | string;

/** The public name of a session. Safe to log: it opens nothing, and cannot be mistaken for a cookie. */
export type SessionId = string & { readonly [idBrand]: true };
declare const idBrand: unique symbol;

/**
 * The data of a session: an object whose values are null, booleans, numbers, strings, bigints, Dates, Maps, Sets,
 * ArrayBuffers and typed arrays, and plain objects and arrays of these, at most 64 levels deep. Anything else is
 * refused with ERR_INVALID_DATA, which names the path.
 */
export type SessionData = object;
