/** What every adapter hands on beside its middleware. Runs in every thread of the host. */

export { sessionOf } from './core.js';
export type { BindOptions, HttpOptions, Mismatch } from './options.js';
export { HttpRefusal, type HttpRefusalCode } from './refusal.js';
export * from './types.js';
