import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { dataOf } from '../fixtures/ledger.js';
import { HEADER } from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { fixture } from '../support/threads.js';
import { Board, STATE } from './board.js';

const READS = Number(process.env.COATCHECK_READS ?? 3_000_000);
const CHANGES = 30_000;
/** So few that slots, cells and the words of the indexes are used again and again. */
const ENTRIES = 48;

test(`two threads read ${READS} times while a third writes, rotates, closes and opens: every read is whole, current and the right one's`, {
  timeout: 300_000,
}, async () => {
  const random = randomFrom('torn reads');
  const manager = await startSessionManager({ maxSessions: ENTRIES + 8, maxBytes: 1_000_000, maxSessionBytes: 2000 });
  const { header } = (manager.createTicket() as unknown as { memory: { header: SharedArrayBuffer } }).memory;
  const board = new Board(ENTRIES);
  const control = new SharedArrayBuffer(12);
  const counters = new Int32Array(control);
  const readers = [1, 2].map((which) => {
    const workerData = { ...board.forReaders, control, which, ticket: manager.createTicket() };
    return new Worker(fixture('reads-forever'), { workerData });
  });
  const reports = readers.map((reader) => once(reader, 'message'));
  const exits = readers.map((reader) => once(reader, 'exit'));
  let changes = 0;

  const isEnough = () => changes >= CHANGES && Math.min(counters[1] as number, counters[2] as number) * 2 >= READS;

  /** One entry's session after another, until there was enough. */
  async function live(entry: number): Promise<void> {
    for (let life = 1; !isEnough(); ) {
      const key = `entry ${entry} life ${life}`;
      let n = 0;
      const session = await manager.newSession({ data: dataOf(key, n) });
      board.hang(entry, manager.getCookieData(session).value);
      board.acknowledge(entry, n);
      board.say(entry, STATE.alive);
      changes++;
      for (let left = random.below(60); left > 0 && !isEnough(); left--, changes++) {
        if (random.chance(0.15)) {
          // The old cookie is as good as the new one until the next rotation.
          await session.rotate();
          board.say(entry, STATE.unsaid);
          board.hang(entry, manager.getCookieData(session).value);
          board.say(entry, STATE.alive);
        } else {
          await session.replace(dataOf(key, ++n));
          board.acknowledge(entry, n);
        }
      }
      board.say(entry, STATE.closing);
      await session.close();
      board.say(entry, STATE.closed);
      // Some stay closed for long, some for a moment.
      for (let left = random.below(3); left > 0; left--) await manager.sweep();
      life++;
      board.say(entry, STATE.unsaid);
      board.acknowledge(entry, 0);
    }
  }

  await Promise.all(Array.from({ length: ENTRIES }, (_, entry) => live(entry)));
  Atomics.store(counters, 0, 1);
  for (const report of reports) {
    const [{ wrong, checked }] = await report;
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(1000);
  }
  const words = new Int32Array(header);
  const switches = [HEADER.digestSwitches, HEADER.previousSwitches, HEADER.idSwitches].map((at) => words[at] as number);
  console.info(
    `torn reads: ${counters[1]} + ${counters[2]} reads, ${changes} changes, indexes rebuilt ${switches} times`,
  );
  for (const rebuilt of switches) expect(rebuilt).toBeGreaterThan(3);
  await Promise.all(exits);
  await manager.stop();
});
