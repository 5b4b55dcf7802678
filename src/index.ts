/** The public face of coatcheck: re-exports, nothing else. */

export { connectSessionManager } from './join.js';
export { policies } from './policies/policies.js';
export type { Policy, Requirement, TestedBy, TimeoutRule } from './policies/requirement.js';
export type { SessionErrorCode } from './protocol/errors.js';
export { SessionError } from './protocol/errors.js';
export { startSessionManager } from './start.js';
export type * from './types.js';
