/** Wires the manager's parts and opens its ports: the entry of the manager's thread, and its only file that does something when it is loaded. */

import { MessagePort, workerData } from 'node:worker_threads';
import { clockOffset, judgeAnchor, monotonic, readClock, setClockOffset } from '../src/protocol/clock.js';
import { HEADER, LAYOUT_VERSION, reservedBytes, STATUS } from '../src/protocol/layout.js';
import { isJoinMessage, type ManagerStartup } from '../src/protocol/startup.js';
import { Connections } from './connections.js';
import { Endings } from './endings.js';
import { Executor } from './executor.js';
import { Manager } from './manager.js';
import { type Served, serve } from './serve.js';
import { Sessions } from './sessions.js';
import { memoryStore } from './stores/memory.js';
import { Sweeper } from './sweeper.js';
import { TableWriter } from './table.js';

const startup = workerData as ManagerStartup & { readonly port: MessagePort };
if (startup.layoutVersion !== LAYOUT_VERSION) {
  throw new TypeError(
    `This manager is of another build: its layout is ${LAYOUT_VERSION}, not ${startup.layoutVersion}`,
  );
}

const now = readClock(startup.clock);
const table = new TableWriter(startup.memory, startup.ownerEpoch);
const connections = new Connections();
const sessions = new Sessions(table, startup.whenFull === 'end-longest-idle');
const endings = new Endings(sessions, connections, now);
const manager = new Manager(sessions, endings, connections, startup, now);
const store = memoryStore;
const executor = new Executor({
  manager,
  sessions,
  endings,
  connections,
  store,
  bytesReserved: reservedBytes(startup.memory),
  stop,
});
const sweeper = new Sweeper(startup.sweep, endings, executor, connections);
const clock = startup.manualClock ? undefined : followWallClock();

const served: Served = {
  manager,
  endings,
  connections,
  executor,
  settings: startup.settings,
  freeEnded: () => void sweeper.freeEnded(),
};
serve(startup.port, served);
// Other threads' ports come this way; anything else that is posted here is none of the manager's business.
process.on('workerMessage', (value: unknown) => {
  if (isJoinMessage(value) && isPort(value.port)) serve(value.port, served);
});
Atomics.store(table.view.header, HEADER.status, STATUS.running);

function isPort(value: unknown): value is MessagePort {
  return value instanceof MessagePort;
}

/** Looks at the wall clock each second, and moves session time after it where that is right. It also keeps this thread alive. */
function followWallClock(): NodeJS.Timeout {
  const mono = monotonic();
  let state: Parameters<typeof judgeAnchor>[3];
  return setInterval(() => {
    const before = clockOffset(startup.clock);
    const judged = judgeAnchor(before, Date.now(), mono(), state);
    state = judged.state;
    if (judged.offset !== before) setClockOffset(startup.clock, judged.offset);
  }, 1000);
}

/** Ends every session, tells everyone who listens, and lets the thread end once the last replies are on their way. */
async function stop(): Promise<void> {
  manager.closeAllSessions({ user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity }, 'stopped');
  endings.freeSome(Number.POSITIVE_INFINITY);
  connections.flush();
  Atomics.store(table.view.header, HEADER.status, STATUS.stopped);
  clearInterval(clock);
  await sweeper.stop();
  await store.close();
  setImmediate(() => setImmediate(() => connections.closeAll()));
}
