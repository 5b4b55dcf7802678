/**
 * A million sessions in one table: how much memory does each take, and how long to create, look up, list and close them
 * all? `npm run bench:scale`, or with another number of sessions: `npm run bench:scale -- 100000`.
 */

import { Worker } from 'node:worker_threads';
import { settledMemory } from './scale/settled-memory.js';

const nodeAlone = await settledMemory();

const { startSessionManager } = await import('coatcheck');
const { encodeData } = await import('../dist/src/protocol/data/encode.js');
const { ByteWriter } = await import('../dist/src/protocol/bytes.js');
const { countTokens } = await import('./scale/counted-tokens.js');
const { shopData } = await import('./data.js');
const { windowed } = await import('./window.js');

const sessions = Number(process.argv[2] ?? 1_000_000);
if (!Number.isSafeInteger(sessions) || sessions < 1) {
  console.error('usage: npm run bench:scale -- [sessions]');
  process.exit(2);
}
const DATA_BYTES = 200;
const data = dataOf(DATA_BYTES);

const manager = await startSessionManager({ maxSessions: Math.max(sessions, 1_000_000) });
countTokens();
console.log(`${sessions.toLocaleString('en')} sessions of ${DATA_BYTES} bytes of data`);

await timed('created, 256 in flight', () =>
  windowed(sessions, 256, (_, done) => void manager.newSession({ data }).then(done)),
);
const stats = await manager.stats();
expect(stats.sessions);
const resident = await settledMemory();

await timed('looked up, each in both of two threads', async () => {
  const url = new URL('./scale/reader.js', import.meta.url);
  const readers = [new Worker(url, { workerData: sessions }), new Worker(url, { workerData: sessions })];
  const found = Promise.all(readers.map((reader) => new Promise((resolve) => reader.once('message', resolve))));
  const exited = Promise.all(readers.map((reader) => new Promise((resolve) => reader.once('exit', resolve))));
  for (const count of await found) expect(count);
  await exited;
});

await timed('listed by getAllSessions', async () => {
  let listed = 0;
  for await (const { id } of manager.getAllSessions()) if (id !== '') listed++;
  expect(listed);
});

await timed('closed by closeAllSessions', async () => expect(await manager.closeAllSessions()));
await timed('their memory freed', () => manager.sweep());
const { bytesUsed } = await manager.stats();
await manager.stop();

judge('bytesUsed of stats() a session, beside its data', stats.bytesUsed / sessions - DATA_BYTES, 200);
judge("resident beyond Node's own, a session, data included", (resident - nodeAlone) / sessions, 500);
judge('bytesUsed of stats() with all of them freed', bytesUsed, 0);

/** Data that takes exactly so many bytes in the table. */
function dataOf(bytes) {
  const writer = new ByteWriter();
  encodeData(writer, { ...shopData, note: '' }, bytes);
  const filled = { ...shopData, note: 'x'.repeat(bytes - writer.length) };
  writer.reset();
  encodeData(writer, filled, bytes);
  if (writer.length !== bytes) throw new Error(`the data takes ${writer.length} bytes`);
  return filled;
}

function expect(count) {
  if (count !== sessions) throw new Error(`${count} sessions, not ${sessions}`);
}

async function timed(what, work) {
  const before = performance.now();
  await work();
  console.log(`${what.padEnd(56)} ${((performance.now() - before) / 1000).toFixed(2).padStart(8)} s`);
}

function judge(what, bytes, most) {
  const verdict = `at most ${most}: ${bytes <= most ? 'met' : 'MISSED'}`;
  console.log(`${what.padEnd(56)} ${Math.round(bytes).toLocaleString('en').padStart(8)} B   ${verdict}`);
}
