/** Answers that wait for changes: each program is run with sessions and without, and has to behave the same. */

import assert from 'node:assert/strict';
import compression from 'compression';
import helmet from 'helmet';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type SessionManager, startSessionManager } from '../../dist/src/index.js';
import {
  type AnswerKind,
  answerKinds,
  ask,
  type Changeable,
  type EventKind,
  eventKinds,
  type Heard,
  type ServerKind,
  serverKinds,
  type Use,
} from './held-programs.js';

/** Turns of the event loop that a change takes, at least: whatever the client does is seen before it is done. */
const TURNS = 5;

let manager: SessionManager;
beforeAll(async () => {
  manager = await startSessionManager({ name: 'held answers', cookie: { secure: false } });
});
afterAll(() => manager.stop());

const compress = compression({ threshold: 0 }) as unknown as Use;
const companions: Record<string, { before: Use[]; after: Use[] }> = {
  'nothing else': { before: [], after: [] },
  'compression before': { before: [compress], after: [] },
  'compression after': { before: [], after: [compress] },
  helmet: { before: [helmet() as Use], after: [] },
};

async function slowly(): Promise<Record<string, unknown>> {
  for (let i = 0; i < TURNS; i++) await new Promise(setImmediate);
  return { changed: true };
}

const change = (session: Changeable | undefined) => (session === undefined ? slowly() : session.update(slowly));

interface Cell {
  readonly answer: AnswerKind;
  readonly event: EventKind;
  readonly companion: string;
  readonly isAwaited: boolean;
}

interface Outcome {
  readonly heard: Heard;
  /** How often each was heard of. */
  readonly events: Readonly<Record<'close' | 'on-finished', number>>;
}

async function run(kind: ServerKind, cell: Cell, hasSessions: boolean): Promise<Outcome> {
  const { answer, event, companion, isAwaited } = cell;
  const events = { close: 0, 'on-finished': 0 };
  let closed = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const started = await kind.start({
    manager: hasSessions ? manager : undefined,
    ...(companions[companion] as { before: Use[]; after: Use[] }),
    answer,
    event,
    async change(session) {
      const done = change(session);
      if (isAwaited) await done;
    },
    hear(what) {
      events[what]++;
      if (events.close > 0 && events['on-finished'] > 0) closed();
    },
  });
  try {
    const heard = await ask(started, kind, event);
    await over;
    return { heard, events };
  } finally {
    await started.stop();
  }
}

/** Without what the sessions add to it. */
function withoutSession({ heard: { headers, ...rest }, events }: Outcome): Outcome {
  if (headers === undefined) return { heard: rest, events };
  const kept = headers
    .filter((line) => !/^set-cookie: id=|^cache-control:/.test(line))
    .map((line) => (line.startsWith('vary: ') ? line.replace(/Cookie, |(?:, )?Cookie$/, '') : line))
    .filter((line) => line !== 'vary: ');
  return { heard: { ...rest, headers: kept.sort() }, events };
}

/**
 * Who goes away hears as much as there was time for. So does, also without sessions, whoever is cut off while compression
 * still works in a thread of its own.
 */
function compared(outcome: Outcome, { event, companion }: Cell): Partial<Outcome> {
  const isRace = companion.startsWith('compression') && /closes its half|throws/.test(event);
  return isRace || event === 'the client goes away' ? { events: outcome.events } : withoutSession(outcome);
}

describe.each(serverKinds.map((kind) => [kind.name, kind] as const))('over %s', (_, kind) => {
  for (const event of eventKinds) {
    // In HTTP/2 a request closes its half by itself.
    if (kind.isHttp2 && event === 'the client closes its half') continue;
    test.each(answerKinds)(`an answer %s is as it would be without a session, but later: ${event}`, async (answer) => {
      const cells = Object.keys(companions).flatMap((companion) =>
        [true, false].map((isAwaited) => ({ answer, event, companion, isAwaited })),
      );
      await Promise.all(
        cells.map(async (cell) => {
          const [without, held] = await Promise.all([run(kind, cell, false), run(kind, cell, true)]);
          assert.deepEqual({ cell, ...compared(held, cell) }, { cell, ...compared(without, cell) });
          const cookies = held.heard.headers?.filter((line) => line.startsWith('set-cookie: id='));
          if (cookies !== undefined) assert.equal(cookies.length, 1, JSON.stringify(cell));
        }),
      );
    });
  }
});
