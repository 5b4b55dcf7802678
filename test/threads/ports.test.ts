/** Ports that close, at each moment and by either side. */

import { once } from 'node:events';
import { MessageChannel, type MessagePort, postMessageToThread } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { callOf, helloOf } from '../fixtures/frames.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({
    maxSessions: 20_000,
    maxBytes: 20_000_000,
    worker: fixture('manager-that-closes-ports'),
    ...options,
  });
  cleanups.push(() => manager.stop());
  return manager;
}

async function joined(): Promise<Thread> {
  const thread = new Thread();
  cleanups.push(() => thread.end());
  await thread.ask('join');
  return thread;
}

/** Both ports of a thread that joins, with nothing before them. */
async function rawPorts(manager: SessionManager): Promise<{ port: MessagePort; second: MessagePort }> {
  const { port1: port, port2 } = new MessageChannel();
  const { port1: second, port2: forSupervisor } = new MessageChannel();
  const message = { coatcheck: 'join', name: 'default', port: port2, second: forSupervisor };
  await postMessageToThread(managerThread(manager), message, [port2, forSupervisor]);
  // A port closes when all that came before has been read.
  port.on('message', () => {});
  return { port, second };
}

async function connectionsAre(manager: SessionManager, count: number): Promise<void> {
  while ((await manager.stats()).connections !== count);
}

/**
 * Has the manager close its end of a port: 0 is that of the thread that started it, 1 that of the first that joined.
 */
async function closePort(manager: SessionManager, which: number): Promise<void> {
  await postMessageToThread(managerThread(manager), { closePort: which });
}

const causeOfRestart = (manager: SessionManager) =>
  new Promise<string>((resolve) => {
    const stop = manager.on('restarted', ({ cause }) => {
      stop();
      resolve(cause.message);
    });
  });

const moments = {
  'before it greets': () => {},
  'while it greets': (port: MessagePort) => port.postMessage(callOf('greet', helloOf(), 'greeting')),
  'with calls in flight': async (port: MessagePort) => {
    port.postMessage(callOf('greet', helloOf(), 'greeting'));
    await once(port, 'message');
    for (let n = 0; n < 100; n++) port.postMessage(callOf('execute', new ArrayBuffer(n), `${n}`));
  },
};

test.each(Object.entries(moments))(
  'a thread that closes its port %s leaves nothing behind, and nobody else notices',
  async (_, reach) => {
    const manager = await start();
    const session = await manager.newSession({ data: { n: 1 } });
    for (let n = 0; n < 20; n++) {
      const { port, second } = await rawPorts(manager);
      await reach(port);
      port.close();
      if (n % 2 === 0) second.close();
      else cleanups.push(() => second.close());
    }
    await connectionsAre(manager, 1);
    expect([session.data, (await manager.stats()).restarts]).toEqual([{ n: 1 }, 0]);
  },
);

test.each(Object.entries(moments))(
  'a thread that closes its port to the supervisor %s is let go, and nobody else notices',
  async (moment, reach) => {
    const manager = await start();
    const session = await manager.newSession({ data: { n: 1 } });
    for (let n = 0; n < 20; n++) {
      const { port, second } = await rawPorts(manager);
      const closed = once(port, 'close');
      await reach(port);
      second.close();
      if (moment === 'before it greets') {
        // The manager knows by the time it has done something else.
        await manager.stats();
        port.postMessage(callOf('greet', helloOf(), 'greeting'));
      }
      await closed;
    }
    await connectionsAre(manager, 1);
    expect([session.data, (await manager.stats()).restarts]).toEqual([{ n: 1 }, 0]);
  },
);

test('a thread whose port the manager closes, and lives on, is refused and may join anew', async () => {
  const manager = await start({ callTimeout: '20s' });
  const thread = await joined();
  const other = await joined();
  await closePort(manager, 1);
  // Refused long before their time is up.
  const refused = await thread.ask<string[]>('createMany', 100);
  for (const each of refused) expect(each).toMatch(/^ERR_MANAGER_FAILED (not-applied|unknown)$/);
  await thread.ask('join');
  for (const each of [thread, other]) expect(await each.ask('createMany', 2)).toEqual(['done', 'done']);
  await connectionsAre(manager, 3);
  expect((await manager.stats()).restarts).toBe(0);
});

test('a manager that closes the port to the thread that started it is replaced, and every call is done', async () => {
  const manager = await start();
  const thread = await joined();
  const session = await manager.newSession({ data: { n: 0 } });
  const cause = causeOfRestart(manager);
  await closePort(manager, 0);
  await Promise.all(Array.from({ length: 100 }, (_, n) => session.set({ n })));
  expect(await cause).toContain('its port was closed');
  expect([session.data.n, session.version]).toEqual([99, 100]);
  expect(await thread.ask('createMany', 2)).toEqual(['done', 'done']);
});

test('ports that close while a manager is replaced: the others are served, and no connection is left', async () => {
  const manager = await start();
  const thread = await joined();
  const cause = causeOfRestart(manager);
  const before = await Promise.all(Array.from({ length: 6 }, () => rawPorts(manager)));
  for (const { port } of before) {
    port.postMessage(callOf('greet', helloOf(), 'greeting'));
    await once(port, 'message');
  }
  await postMessageToThread(managerThread(manager), { die: 'exit 0' });
  for (const [n, { port, second }] of before.entries()) (n % 2 === 0 ? port : second).close();
  expect(await thread.ask('createMany', 100)).toEqual(Array(100).fill('done'));
  await cause;
  for (const { port, second } of before) {
    port.close();
    second.close();
  }
  await connectionsAre(manager, 2);
});

test('a thread that dies while its manager’s successor comes up is noticed by it', async () => {
  const manager = await start({ worker: fixture('manager-that-comes-late') });
  const thread = await joined();
  const { cookie } = await thread.ask<{ cookie: string }>('create', { linked: true });
  // It never reads that there is a successor, and so posts nothing to it.
  const word = new Int32Array(new SharedArrayBuffer(4));
  thread.ask('createAndBlock', 0, word).catch(() => {});
  await Atomics.waitAsync(word, 0, 0).value;
  const cause = causeOfRestart(manager);
  const spawned = once(process, 'worker');
  await postMessageToThread(managerThread(manager), { die: 'exit 0' });
  await spawned;
  await thread.end();
  await cause;
  await connectionsAre(manager, 1);
  expect(manager.getSession(cookie)).toBeUndefined();
});
