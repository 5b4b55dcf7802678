/** A site that is bundled into one folder: what it needs is in there, whoever comes back included. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
let sources = '';
let bundled = '';

beforeAll(() => {
  sources = mkdtempSync(join(tmpdir(), 'coatcheck-sources-'));
  // Where the bundle runs there are no packages.
  bundled = mkdtempSync(join(tmpdir(), 'coatcheck-bundle-'));
  symlinkSync(join(root, 'node_modules'), join(sources, 'node_modules'));
});

afterAll(() => {
  for (const folder of [sources, bundled]) rmSync(folder, { recursive: true, force: true });
});

/** Bundles a program, and the manager's thread as an entry of its own; returns where the program lies. */
async function bundle(name: string, program: string, format: 'esm' | 'cjs' = 'esm'): Promise<string> {
  const entry = join(sources, `${name}.js`);
  writeFileSync(entry, program.replaceAll('coatcheck', join(root, 'dist/src')));
  const build = await rolldown({
    input: { [name]: entry, ...(format === 'esm' ? { 'manager-thread': join(root, 'dist/worker/main.js') } : {}) },
    platform: 'node',
    logLevel: 'silent',
  });
  const ending = format === 'esm' ? 'mjs' : 'cjs';
  await build.write({
    dir: bundled,
    format,
    entryFileNames: `[name].${ending}`,
    chunkFileNames: `[name]-[hash].${ending}`,
  });
  await build.close();
  return join(bundled, `${name}.${ending}`);
}

test('knows a visitor who comes back, by the store for express-session', async () => {
  const program = await bundle(
    'shop',
    `
    import { generateKeyPairSync } from 'node:crypto';
    import { once } from 'node:events';
    import express from 'express';
    import session from 'express-session';
    import { startSessionManager } from 'coatcheck/index.js';
    import { CoatcheckStore } from 'coatcheck/http/store/express-session.js';
    const manager = await startSessionManager({ worker: new URL('./manager-thread.mjs', import.meta.url) });
    const app = express();
    const store = new CoatcheckStore({ manager });
    app.use(session({ store, secret: 'x', resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 } }));
    app.get('/', (request, response) => {
      request.session.visits = (request.session.visits ?? 0) + 1;
      response.send('visit ' + request.session.visits);
    });
    app.get('/anew', (request, response, next) =>
      request.session.regenerate((error) => (error ? next(error) : response.send('anew'))),
    );
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    let cookie = '';
    const told = [];
    for (const path of ['/', '/', '/', '/anew', '/']) {
      const response = await fetch('http://127.0.0.1:' + server.address().port + path, { headers: { cookie } });
      told.push(await response.text());
      cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
    }
    const key = generateKeyPairSync('ed25519').privateKey;
    const worker = new URL('./manager-thread.mjs', import.meta.url);
    const signed = await startSessionManager({ worker, name: 'signed', cookie: { format: 'jwt', keys: [key] } });
    const { value } = signed.getCookieData(await signed.newSession({ userId: 'ada' }));
    console.log(told.join(), signed.getSession(value).userId);
    await signed.stop();
    server.close();
    server.closeAllConnections();
    await manager.stop();
    `,
  );
  const { stdout } = await run(process.execPath, [program], { cwd: bundled, timeout: 30_000 });
  expect(stdout).toBe('visit 1,visit 2,visit 3,anew,visit 1 ada\n');
});

test.each(['esm', 'cjs'] as const)(
  'that lacks the file of the manager’s thread is told where to read of it: %s',
  async (format) => {
    const program = await bundle(
      `lost-${format}`,
      `
    import { startSessionManager } from 'coatcheck/index.js';
    startSessionManager().catch((error) => console.log(error.code, error.message));
    `,
      format,
    );
    const { stdout } = await run(process.execPath, [program], { cwd: bundled, timeout: 30_000 });
    expect(stdout).toMatch(/^ERR_MANAGER_FAILED .*worker\/main\.js.*docs\/bundlers\.md of coatcheck/);
  },
);
