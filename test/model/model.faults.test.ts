/**
 * The rules against a plain Map, over random sequences of calls in a table so small that every place in it is used
 * again and again.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Limits } from '../contract/bare-rules.js';
import { Model, type Step } from './model.js';

const nth = fc.nat(20);
const key = fc.constantFrom('a', 'b', 'c');
const text = fc.nat(300).map((length) => 'x'.repeat(length));
const timeout = fc.constantFrom(10, 100, 1000, Number.POSITIVE_INFINITY);
const step = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant('new' as const), user: fc.nat(2), text, idle: timeout, absolute: timeout }),
    weight: 4,
  },
  fc.record({ do: fc.constant('set' as const), nth, key, text: fc.option(text, { nil: undefined }) }),
  fc.record({ do: fc.constant('take' as const), nth, key }),
  fc.record({ do: fc.constant('login' as const), nth, user: fc.integer({ min: 1, max: 2 }), key, text }),
  fc.record({ do: fc.constant('rotate' as const), nth, grace: fc.constantFrom(0, 5, 50, 500) }),
  fc.record({ do: fc.constant('look' as const), nth }),
  fc.record({ do: fc.constant('close' as const), nth }),
  fc.record({
    do: fc.constant('closeAll' as const),
    user: fc.option(fc.nat(2), { nil: undefined }),
    except: fc.option(nth, { nil: undefined }),
    before: fc.option(fc.nat(300), { nil: undefined }),
    limit: fc.option(fc.nat(3), { nil: undefined }),
  }),
  { arbitrary: fc.record({ do: fc.constant('advance' as const), by: fc.constantFrom(1, 5, 10, 50, 100) }), weight: 2 },
  fc.record({ do: fc.constantFrom('sweep' as const, 'succeed' as const) }),
);

const limits = fc.record({
  maxSessions: fc.constantFrom(3, 8),
  maxBytes: fc.constantFrom(700, 5000),
  maxSessionBytes: fc.constant(600),
  maxSessionsPerUser: fc.constantFrom(2, 3, Number.POSITIVE_INFINITY),
  whenOverLimit: fc.constantFrom('reject' as const, 'end-oldest' as const),
  whenFull: fc.constantFrom('reject' as const, 'end-longest-idle' as const),
});

test('whatever is called in whatever order, and whenever the manager is succeeded by another, the table says what a plain Map says', async () => {
  const run = async (chosen: Limits, steps: Step[]) => {
    const model = new Model(chosen);
    for (const step of steps) {
      model.do(step);
      model.pass();
      await model.compare();
    }
    model.expectNothingLeft();
  };
  await fc.assert(fc.asyncProperty(limits, fc.array(step, { minLength: 20, maxLength: 250, size: 'max' }), run), {
    numRuns: 100,
  });
});

test('what closeAllSessions ended ends no second time, though its timeout comes before it is freed', () => {
  const model = new Model({
    maxSessions: 2,
    maxBytes: 5000,
    maxSessionBytes: 600,
    maxSessionsPerUser: Number.POSITIVE_INFINITY,
    whenOverLimit: 'reject',
    whenFull: 'reject',
  });
  const { rules, sessions, endings } = model.bare;
  const fresh = { do: 'new', user: 1, text: '', idle: 10, absolute: 10 } as const;
  model.do(fresh);
  model.do({ do: 'closeAll' });
  model.bare.time += 10;
  expect(endings.endDue(10).ended).toBe(0);
  // A second ending would have freed the place, and freeing what was ended would now free the next session's.
  model.do(fresh);
  model.do(fresh);
  endings.freeSome(10);
  expect([sessions.live, sessions.ended.closed, sessions.ended.idle, model.bare.sweep()]).toEqual([2, 1, 0, 0]);
  expect([...model.live.values()].every(({ target }) => !rules.endIfOver(target))).toBe(true);
});
