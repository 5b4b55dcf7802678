/** What every adapter exports beside its middleware. Runs in every thread of the host. */

export { sessionOf } from './core.js';
export type { BindOptions, HttpOptions, Mismatch } from './options/options.js';
export { HttpRefusal, type HttpRefusalCode } from './options/refusal.js';
export * from './options/types.js';
