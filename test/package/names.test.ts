import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { connectSessionManager, type SessionManager, startSessionManager } from '../../dist/src/index.js';

const small = { maxSessions: 10, maxBytes: 10_000 };
const index = new URL('../../dist/src/index.js', import.meta.url).href;

/** A thread that runs a module's text. */
const thread = (text: string) =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(`import * as coatcheck from '${index}';\n${text}`)}`));

test('a manager stopped by another thread frees its name', async () => {
  await startSessionManager(small);
  const stopper = thread('const sessions = await coatcheck.connectSessionManager(); await sessions.stop();');
  await once(stopper, 'exit');
  const second = await startSessionManager(small);
  expect((await second.newSession()).alive).toBe(true);
  await second.stop();
});

test('a ticket leads to the manager that made it, whatever others are called', async () => {
  const mine = await startSessionManager(small);
  const text = `import { parentPort } from 'node:worker_threads';
    const sessions = await coatcheck.startSessionManager({ maxSessions: 10, maxBytes: 10000, name: 'theirs' });
    const session = await sessions.newSession({ data: { whose: 'theirs' } });
    parentPort.postMessage({ ticket: { ...sessions.createTicket(), name: 'default' }, id: session.id });
    parentPort.once('message', () => sessions.stop());`;
  const owner = thread(text);
  const [{ ticket, id }] = await once(owner, 'message');
  const theirs: SessionManager = await connectSessionManager(ticket);
  expect(theirs).not.toBe(mine);
  expect(theirs.getSessionById(id)?.data).toEqual({ whose: 'theirs' });
  expect(await connectSessionManager(ticket)).toBe(theirs);
  expect(await connectSessionManager()).toBe(mine);
  owner.postMessage('done');
  await once(owner, 'exit');
  await mine.stop();
});
