/** The public API of coatcheck: re-exports, nothing else. */

export { connectSessionManager } from './manager/join.js';
export { startSessionManager } from './manager/start.js';
export { policies } from './options/policies/policies.js';
export type { Policy, Requirement, TestedBy, TimeoutRule } from './options/policies/requirement.js';
export type { SessionErrorCode } from './protocol/errors.js';
export { SessionError } from './protocol/errors.js';
export type * from './types/types.js';
