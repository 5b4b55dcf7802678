/** A thread under load, as the torture's main thread tells it: posted `{ number, ask }`, it does so and answers. */

import { parentPort, workerData } from 'node:worker_threads';
import { connectSessionManager } from '../../dist/src/index.js';
import { randomNumbers } from '../fixtures/ledger.js';
import { CookieBoard, useAndRecord } from '../fixtures/recorded-use.js';
import { Load } from './load.js';

const { name, managerName, seed, users, callTimeout } = workerData;
const manager = await connectSessionManager(managerName);
const load = new Load(manager, { name, random: randomNumbers(seed), users, callTimeout });

const asked = {
  share: (count) => load.share(count),
  borrow: (shared) => load.borrow(shared),
  check: () => load.checkAll(),
  record: ({ board, threads, entries, nth, most, users, seed }) =>
    useAndRecord(manager, {
      name,
      nth,
      board: new CookieBoard(threads, entries, board),
      users,
      random: randomNumbers(seed),
      isEnough: (recorded) => recorded >= most,
      amongOthers: true,
    }),
  async end() {
    await load.end();
    load.checkAll();
    await manager.disconnect();
  },
};

parentPort.on('message', async ({ number, ask, argument }) => {
  const answer = await asked[ask](argument);
  parentPort.postMessage({ number, answer, wrong: load.wrong.splice(0), counts: load.counts });
  if (ask === 'end') parentPort.close();
});
parentPort.postMessage({ counts: load.counts });
