/** The tests by which bugs are caught, by the file that they stand in. */

export const bare = (name) => ({ file: 'test/contract.test.ts', test: name });
export const table = (name) => ({ file: 'test/table.test.ts', test: name });
export const recovery = (name) => ({ file: 'test/recovery.test.ts', test: name });
export const resent = (name) => ({ file: 'test/resent-calls.test.ts', test: name });
export const interleavings = {
  file: 'test/interleavings.test.ts',
  test: 'whatever order calls, answers, lookups and deaths of the manager come in',
};
export const supervisor = (name) => ({ file: 'test/supervisor.test.ts', test: name });
export const restart = (name) => ({ file: 'test/restart.test.ts', test: name });
export const jwt = (name) => ({ file: 'test/jwt.test.ts', test: name });
export const policies = (name) => ({ file: 'test/policies.test.ts', test: name });
export const http = (name) => ({ file: 'test/http/contract.test.ts', test: name });
export const raw = (name) => ({ file: 'test/http/node-response.test.ts', test: name });
export const held = (name) => ({ file: 'test/http/held-answers.test.ts', test: name });
export const companions = (name) => ({ file: 'test/http/node-companions.test.ts', test: name });
export const upgrades = (name) => ({ file: 'test/http/upgrades.test.ts', test: name });
export const processes = (name) => ({ file: 'test/processes.test.ts', test: name });
export const beside = (name) => ({ file: 'test/http/beside-others.test.ts', test: name });
export const addresses = (name) => ({ file: 'test/http/address.test.ts', test: name });
export const types = (name) => ({ file: 'test/types.test.ts', test: name });
export const bundles = (name) => ({ file: 'test/bundle.test.ts', test: name });
export const every = { file: 'test/http/interleavings.test.ts', test: 'over express 5 S-03' };
export const keyed = (name) => ({ file: 'test/keyed-rules.test.ts', test: name });
export const resident = (name) => ({ file: 'test/resident-memory.test.ts', test: name });
export const store = (name) => ({ file: 'test/express-session-store.test.ts', test: name });
export const ordinary = (name) => ({ file: 'test/ordinary-load.test.ts', test: name });
export const steps = (name) => ({ file: 'test/steps.test.ts', test: name });
export const signals = (name) => ({ file: 'test/signals.test.ts', test: name });
export const wallClock = (name) => ({ file: 'test/wall-clock.test.ts', test: name });
export const schemaOrder = (name) => ({ file: 'test/schema-order.test.ts', test: name });
export const schemaStored = (name) => ({ file: 'test/schema-stored.test.ts', test: name });
