import { execFile } from 'node:child_process';
import { MessagePort, postMessageToThread } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, managerThread, Thread } from '../support/threads.js';

const small = { maxSessions: 5000, maxBytes: 16_000_000 } satisfies ManagerOptions;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: ManagerOptions = {}): Promise<SessionManager> {
  const manager = await startSessionManager({ ...small, ...options });
  cleanups.push(() => manager.stop());
  return manager;
}

/** Blocks the manager's thread, and returns how to let it go on. */
async function block(manager: SessionManager, blockAt = 'once'): Promise<{ blocked(): void; release(): void }> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const release = () => {
    Atomics.store(words, 0, 2);
    Atomics.notify(words, 0);
  };
  cleanups.push(async () => release());
  await postMessageToThread(managerThread(manager), { blockAt, words });
  const blocked = () => expect(Atomics.wait(words, 0, 0, 20_000)).not.toBe('timed-out');
  if (blockAt === 'once') blocked();
  return { blocked, release };
}

/** Messages that this thread posts while `work` runs, by the path of the Comlink call that each is. */
async function posted(work: () => unknown): Promise<string[]> {
  const paths: string[] = [];
  const post = MessagePort.prototype.postMessage;
  MessagePort.prototype.postMessage = function count(this: MessagePort, ...args: Parameters<typeof post>) {
    paths.push(String((args[0] as { path?: string[] }).path));
    post.apply(this, args);
  };
  try {
    await work();
  } finally {
    MessagePort.prototype.postMessage = post;
  }
  return paths;
}

const codes = async (calls: Promise<unknown>[]): Promise<string[]> =>
  (await Promise.allSettled(calls)).map((each) =>
    each.status === 'fulfilled' ? 'done' : `${each.reason.code} ${each.reason.outcome}`,
  );

describe('messages', () => {
  test.each([1, 100_000])('%i lookups of live and unknown cookies send none', async (lookups) => {
    const manager = await start();
    const sessions = await Promise.all(Array.from({ length: 100 }, (_, n) => manager.newSession({ data: { n } })));
    const cookies = sessions.map((session) => manager.getCookieData(session).value);
    const unknown = cookies.map((cookie) => cookie.split('').reverse().join(''));
    const before = (await manager.stats()).calls.count;
    let hits = 0;
    const paths = await posted(() => {
      for (let i = 0; i < lookups; i++) {
        const found = manager.getSession((i & 1 ? unknown : cookies)[(i >> 1) % 100]);
        if (found?.data.n === (i >> 1) % 100 && found.alive && found.touch()) hits++;
      }
    });
    expect(hits).toBe(Math.ceil(lookups / 2));
    expect(paths).toEqual([]);
    expect((await manager.stats()).calls.count).toBe(before + 1);
  });

  test.each([
    ['small ones', 10, 1],
    ['1 MiB of data in all', 1040, 2],
  ])('a thousand sessions made in one tick, %s, are one call', async (_, bytes, most) => {
    const manager = await start();
    const data = { filling: 'x'.repeat(bytes) };
    const paths = await posted(() => Promise.all(Array.from({ length: 1000 }, () => manager.newSession({ data }))));
    expect(new Set(paths)).toEqual(new Set(['execute']));
    expect(paths.length).toBeLessThanOrEqual(most);
    expect((await manager.stats()).sessions).toBe(1000);
  });

  test('calls of one tick are done in the order in which they were made', async () => {
    const manager = await start();
    const session = await manager.newSession({ data: { n: -1 } });
    await Promise.all(Array.from({ length: 500 }, (_, n) => session.set({ n })));
    expect(session.data).toEqual({ n: 499 });
    expect(session.version).toBe(500);
  });
});

describe('a manager that is blocked', () => {
  const worker = fixture('manager-that-blocks');

  test('lets no call wait beyond callTimeout; what was not begun is never done', async () => {
    const manager = await start({ worker, callTimeout: 150 });
    const session = await manager.newSession({ data: { n: 0 } });
    const { release } = await block(manager);
    const calls: Promise<unknown>[] = Array.from({ length: 50 }, () => manager.newSession());
    calls.push(session.set({ n: 1 }), session.close(), manager.closeAllSessions(), manager.sweep(), manager.stats());
    expect(new Set(await codes(calls))).toEqual(new Set(['ERR_TIMEOUT not-applied']));
    expect(session.data).toEqual({ n: 0 });
    release();
    let stats = await manager.stats().catch(() => undefined);
    while (stats === undefined) stats = await manager.stats().catch(() => undefined);
    expect([stats.created, stats.sessions]).toEqual([1, 1]);
    expect(session.data).toEqual({ n: 0 });
  });

  test('which had begun a call: nobody can know, and the call says so', async () => {
    const manager = await start({ worker, callTimeout: 150 });
    const { release } = await block(manager, 'before-reply');
    expect(await codes([manager.newSession(), manager.newSession()])).toEqual(Array(2).fill('ERR_TIMEOUT unknown'));
    release();
    let stats = await manager.stats().catch(() => undefined);
    while (stats === undefined) stats = await manager.stats().catch(() => undefined);
    expect(stats.created).toBe(2);
  });

  test('takes 65,536 calls and refuses the next at once; those before it all complete', async () => {
    const manager = await start({ worker, callTimeout: '30s' });
    const { release } = await block(manager);
    const calls = Array.from({ length: 65_000 }, () => manager.sweep());
    await new Promise(setImmediate);
    calls.push(...Array.from({ length: 536 }, () => manager.sweep()));
    expect(await codes([manager.sweep(), manager.newSession()])).toEqual(Array(2).fill('ERR_OVERLOADED not-applied'));
    release();
    expect(new Set(await codes(calls))).toEqual(new Set(['done']));
    expect(await codes([manager.newSession()])).toEqual(['done']);
    expect((await manager.stats()).created).toBe(1);
  });

  test('takes 64 MiB and refuses more at once; what came before all completes', async () => {
    const maxSessionBytes = 2 ** 20;
    const manager = await start({ worker, callTimeout: '30s', maxBytes: 2 ** 27, maxSessionBytes });
    const { release } = await block(manager);
    const data = { filling: new Uint8Array(maxSessionBytes - 100) };
    const calls = Array.from({ length: 63 }, () => manager.newSession({ data }));
    const more = [manager.newSession({ data }), manager.newSession({ data }), manager.newSession({ data })];
    const small = manager.newSession();
    expect((await codes(more.slice(1))).join()).toBe('ERR_OVERLOADED not-applied,ERR_OVERLOADED not-applied');
    release();
    expect(new Set(await codes([...calls, small]))).toEqual(new Set(['done']));
  });

  test('and a thread that leaves meanwhile: each call settles, and what was not applied is never done', async () => {
    const manager = await start({ worker });
    const thread = new Thread();
    cleanups.push(() => thread.end());
    await thread.ask('join');
    const { blocked, release } = await block(manager, 'after-reply');
    const left = thread.ask<string[]>('leaveAndCreate', 20);
    blocked();
    const outcomes = await left;
    release();
    while ((await manager.stats()).connections > 1);
    const { created } = await manager.stats();
    const refused = outcomes.filter((outcome) => outcome === 'ERR_MANAGER_STOPPED not-applied').length;
    expect(outcomes).toHaveLength(20);
    if (refused === 20) expect(created).toBe(0);
    expect(created).toBeLessThanOrEqual(20 - refused);
  });

  test('is ended by stop all the same, and every call settles', async () => {
    const manager = await startSessionManager({ ...small, worker, callTimeout: 300 });
    await block(manager);
    const calls: Promise<unknown>[] = Array.from({ length: 10 }, () => manager.newSession());
    const stopped = manager.stop();
    for (const outcome of await codes(calls)) expect(outcome).toBe('ERR_TIMEOUT not-applied');
    await stopped;
    expect(await codes([manager.newSession()])).toEqual(['ERR_MANAGER_STOPPED not-applied']);
  });
});

describe('stop', () => {
  test('lets calls in flight finish, and ends every session', async () => {
    const manager = await startSessionManager(small);
    const early = Array.from({ length: 100 }, () => manager.newSession());
    const stopped = manager.stop();
    const late = Array.from({ length: 100 }, () => manager.newSession());
    expect(new Set(await codes(early))).toEqual(new Set(['done']));
    for (const outcome of await codes(late)) expect(outcome).toMatch(/^done$|^ERR_MANAGER_STOPPED not-applied$/);
    await stopped;
    for (const session of await Promise.all(early)) expect(session.alive).toBe(false);
  });

  test('lets calls of other threads settle: done and then ended, or refused', async () => {
    const manager = await startSessionManager(small);
    const threads = [new Thread(), new Thread()];
    await Promise.all(threads.map((thread) => thread.ask('join')));
    const calls = threads.map((thread) => thread.ask<string[]>('createMany', 2000));
    await manager.stop();
    for (const outcome of (await Promise.all(calls)).flat()) {
      expect(outcome).toMatch(/^done$|^ERR_MANAGER_STOPPED (not-applied|unknown)$/);
    }
    const later = await threads[0]?.ask<string[]>('createMany', 2);
    expect(later).toEqual(Array(2).fill('ERR_MANAGER_STOPPED not-applied'));
    await Promise.all(threads.map((thread) => thread.end()));
  });

  test('twice is once, and every use after it is refused', async () => {
    const manager = await startSessionManager(small);
    const session = await manager.newSession({ data: { n: 1 } });
    const { value } = manager.getCookieData(session);
    await Promise.all([manager.stop(), manager.stop()]);
    await manager.stop();
    await manager[Symbol.asyncDispose]();
    const uses = [manager.newSession(), manager.stats(), manager.sweep(), manager.closeAllSessions(), session.close()];
    expect(await codes(uses)).toEqual(Array(5).fill('ERR_MANAGER_STOPPED not-applied'));
    expect(await codes([session.set({ n: 2 }), session.rotate()])).toEqual([
      'ERR_MANAGER_STOPPED not-applied',
      'ERR_SESSION_ENDED not-applied',
    ]);
    expect(manager.getSession(value)).toBeUndefined();
    expect(session.alive).toBe(false);
  });

  test('is not for the thread that only joined, nor disconnect for the one that started', async () => {
    const manager = await start();
    expect(await codes([manager.disconnect()])).toEqual(['ERR_INVALID_OPTION not-applied']);
    expect((await manager.stats()).connections).toBe(1);
  });
});

describe('a script ends by itself that', () => {
  const index = new URL('../../dist/src/index.js', import.meta.url);
  // A worker takes over what `--input-type` says, and cannot be a file then.
  const joiner = `new Worker(new URL(${JSON.stringify(fixture('joins-and-ends').href)}), { execArgv: [] })`;
  const begin = `import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    import { startSessionManager } from ${JSON.stringify(index.href)};
    const manager = await startSessionManager({ maxSessions: 100, maxBytes: 100000 });
    const session = await manager.newSession({ data: { n: 1 } });`;

  test.each([
    ['starts a manager and makes a session', ''],
    ['listens', "manager.on('ended', () => {}); manager.on('created', () => {}); await manager.newSession();"],
    ['watches a session', "session.signal.addEventListener('abort', () => {});"],
    ['lets a worker join', `${joiner};`],
    ['lets a worker join and waits for it', `await once(${joiner}, 'exit');`],
    ['leaves a call pending', 'void manager.newSession();'],
    ['stops', 'await manager.stop();'],
    ['disposes of it', 'await manager[Symbol.asyncDispose]();'],
    ['is refused', 'await manager.newSession({ data: { f() {} } }).catch(() => {});'],
  ])('%s', async (_, more) => {
    const script = `${begin}\nconsole.log(session.data.n);\n${more}`;
    const args = ['--input-type=module', '--eval', script];
    const ended = await new Promise<{ error: unknown; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, args, { timeout: 30_000 }, (error, stdout, stderr) =>
        resolve({ error, stdout, stderr }),
      );
    });
    expect(ended).toEqual({ error: null, stdout: '1\n', stderr: '' });
  });
});
