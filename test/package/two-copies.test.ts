/** A process may load the package twice: once by `import` and once by `require`, from two places on the disk. */

import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { postMessageToThread, Worker } from 'node:worker_threads';
import { afterAll, afterEach, expect, test } from 'vitest';
import type * as Coatcheck from '../../dist/src/index.js';
import { LAYOUT_VERSION } from '../support/internals.js';
import { fixture, managerThread } from '../support/threads.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'coatcheck-copies-'));
const small = { maxSessions: 100, maxBytes: 100_000 };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the built package, as an installer would lay it. */
function copy(name: string): string {
  const place = join(folder, name);
  cpSync(join(root, 'dist'), join(place, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(place, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
  return place;
}

const entryOf = (place: string) => join(place, 'dist/src/index.js');
const imported = (place: string): Promise<typeof Coatcheck> => import(pathToFileURL(entryOf(place)).href);
const required = (place: string): typeof Coatcheck => createRequire(join(place, 'index.cjs'))(entryOf(place));

test.each(['import', 'require'])(
  'two copies in one thread, started by %s, find the same manager and outlive it together',
  async (by) => {
    const [one, other] = [copy(`${by} one`), copy(`${by} other`)];
    const copies = [await imported(one), required(other)] as const;
    const [starter, joiner] = by === 'import' ? copies : [copies[1], copies[0]];
    expect(starter.startSessionManager).not.toBe(joiner.startSessionManager);
    const manager = await starter.startSessionManager({ ...small, worker: fixture('manager-that-dies') });
    cleanups.push(() => manager.stop());
    await expect(joiner.startSessionManager(small)).rejects.toMatchObject({ code: 'ERR_NAME_IN_USE' });
    expect(await joiner.connectSessionManager()).toBe(manager);
    expect(await joiner.connectSessionManager(manager.createTicket())).toBe(manager);

    // What one copy refuses is an error of the class of either.
    const refusal = await manager.newSession({ userId: '' }).catch((error: unknown) => error);
    expect(copies.map(({ SessionError }) => refusal instanceof SessionError)).toEqual([true, true]);
    expect(new Error() instanceof joiner.SessionError).toBe(false);

    // In a thread below the other copy joins, and both are served by the manager's successor.
    const text = `import { parentPort } from 'node:worker_threads';
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(entryOf(other))});
    const copies = [await import(${JSON.stringify(pathToFileURL(entryOf(one)).href)}), require(${JSON.stringify(entryOf(other))})];
    const [manager, same] = [await copies[0].connectSessionManager(), await copies[1].connectSessionManager()];
    parentPort.on('message', async (cookie) => {
      const session = same.getSession(cookie);
      await session.set({ theirs: true });
      parentPort.postMessage([manager === same, session.data]);
    });
    parentPort.postMessage('joined');`;
    const below = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
    cleanups.push(() => below.terminate());
    await once(below, 'message');
    const session = await manager.newSession({ data: { n: 0 } });
    const again = new Promise((resolve) => manager.on('restarted', resolve));
    await postMessageToThread(managerThread(manager), { die: 'exit 0' });
    await again;
    await session.set({ n: 1 });
    below.postMessage(manager.getCookieData(session).value);
    expect(await once(below, 'message')).toEqual([[true, { n: 1, theirs: true }]]);
    expect(session.data).toEqual({ n: 1, theirs: true });
  },
);

/** A copy that says it is of another layout. */
function otherLayout(name: string): string {
  const place = copy(name);
  const file = join(place, 'dist/src/protocol/layout.js');
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(`LAYOUT_VERSION = ${LAYOUT_VERSION};`, 'LAYOUT_VERSION = 99;');
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
  return place;
}

test('copies of two layouts in one thread refuse each other, and say so; neither is harmed', async () => {
  const [mine, theirs] = [await imported(copy('this layout')), await imported(otherLayout('another layout'))];
  const manager = await mine.startSessionManager({ ...small, name: 'mine' });
  cleanups.push(() => manager.stop());
  const text = `of another build of coatcheck (layout ${LAYOUT_VERSION})`;
  const refusal = { code: 'ERR_MANAGER_NOT_FOUND', message: expect.stringContaining(text) };
  await expect(theirs.connectSessionManager('mine')).rejects.toMatchObject(refusal);
  await expect(theirs.connectSessionManager(manager.createTicket())).rejects.toMatchObject(refusal);
  await expect(theirs.startSessionManager({ ...small, name: 'mine' })).rejects.toMatchObject({
    code: 'ERR_NAME_IN_USE',
  });
  const other = await theirs.startSessionManager({ ...small, name: 'theirs' });
  cleanups.push(() => other.stop());
  await expect(mine.connectSessionManager('theirs')).rejects.toMatchObject({
    code: 'ERR_MANAGER_NOT_FOUND',
    message: expect.stringContaining('(layout 99)'),
  });
  for (const each of [manager, other]) expect((await each.newSession()).alive).toBe(true);
});

test("a manager's module of another layout is refused when it is started, with the reason", async () => {
  const place = otherLayout('a worker of another layout');
  const { startSessionManager } = await imported(copy('its starter'));
  const worker = pathToFileURL(join(place, 'dist/worker/main.js'));
  await expect(startSessionManager({ ...small, worker })).rejects.toMatchObject({
    code: 'ERR_MANAGER_FAILED',
    cause: { message: expect.stringContaining('another build') },
  });
});
