/** The public face of coatcheck: re-exports, nothing else. */
export type { SessionErrorCode } from './protocol/errors.js';
export { SessionError } from './protocol/errors.js';
export type * from './types.js';
