import { expect, test } from 'vitest';
import { randomFrom } from '../support/random.js';
import { sendFrames } from '../torture/frames.js';

const FRAMES = 100_000;

test(`frames: ${FRAMES} of every shape leave the manager, and every session of others, as they were`, async () => {
  const { seed } = randomFrom('frames');
  const { sent, answers, calls, strange, wrong } = await sendFrames(FRAMES, seed);
  expect({ sent, wrong }).toEqual({ sent: FRAMES, wrong: [] });
  // They reached the rules of sessions, and the one who used these went on meanwhile.
  expect(answers).toBeGreaterThan(FRAMES / 2);
  expect(strange).toBeGreaterThan(1000);
  expect(calls).toBeGreaterThan(10);
});
