/** The tests by which bugs are caught, by the file that they stand in. */

export const bare = (name) => ({ file: 'test/contract/contract.test.ts', test: name });
export const table = (name) => ({ file: 'test/table/table.test.ts', test: name });
export const recovery = (name) => ({ file: 'test/table/recovery.test.ts', test: name });
export const resent = (name) => ({ file: 'test/calls/resent-calls.faults.test.ts', test: name });
export const interleavings = {
  file: 'test/model/interleavings.faults.test.ts',
  test: 'whatever order calls, answers, lookups and deaths of the manager come in',
};
export const supervisor = (name) => ({ file: 'test/threads/supervisor.test.ts', test: name });
export const restart = (name) => ({ file: 'test/threads/restart.faults.test.ts', test: name });
export const jwt = (name) => ({ file: 'test/cookies/jwt.test.ts', test: name });
export const policies = (name) => ({ file: 'test/options/policies.test.ts', test: name });
export const http = (name) => ({ file: 'test/http/contract.test.ts', test: name });
export const raw = (name) => ({ file: 'test/http/node-response.test.ts', test: name });
export const held = (name) => ({ file: 'test/http/held-answers.test.ts', test: name });
export const companions = (name) => ({ file: 'test/http/node-companions.test.ts', test: name });
export const upgrades = (name) => ({ file: 'test/http/upgrades.test.ts', test: name });
export const processes = (name) => ({ file: 'test/package/processes.test.ts', test: name });
export const beside = (name) => ({ file: 'test/http/beside-others.test.ts', test: name });
export const addresses = (name) => ({ file: 'test/http/address.test.ts', test: name });
export const types = (name) => ({ file: 'test/package/types.test.ts', test: name });
export const bundles = (name) => ({ file: 'test/package/bundle.test.ts', test: name });
export const every = { file: 'test/http/interleavings.faults.test.ts', test: 'over express 5 S-03' };
export const keyed = (name) => ({ file: 'test/rules/keyed-rules.test.ts', test: name });
export const resident = (name) => ({ file: 'test/package/resident-memory.test.ts', test: name });
export const store = (name) => ({ file: 'test/http/store/express-session-store.test.ts', test: name });
export const ordinary = (name) => ({ file: 'test/calls/ordinary-load.test.ts', test: name });
export const steps = (name) => ({ file: 'test/calls/steps.faults.test.ts', test: name });
export const signals = (name) => ({ file: 'test/calls/signals.test.ts', test: name });
export const wallClock = (name) => ({ file: 'test/contract/wall-clock.test.ts', test: name });
export const schemaOrder = (name) => ({ file: 'test/schema/schema-order.test.ts', test: name });
export const schemaStored = (name) => ({ file: 'test/schema/schema-stored.test.ts', test: name });
export const data = (name) => ({ file: 'test/calls/data.test.ts', test: name });
export const entries = (name) => ({ file: 'test/calls/data-entries.test.ts', test: name });
export const refused = (name) => ({ file: 'test/calls/data-refused.test.ts', test: name });
