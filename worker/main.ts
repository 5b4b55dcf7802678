/**
 * The entry of the manager's thread: connects the manager's parts and serves its ports. The only file with side effects
 * when it is loaded.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { type MessagePort, parentPort, threadId, workerData } from 'node:worker_threads';
import { clockOffset, judgeAnchor, monotonic, readClock, setClockOffset } from '../src/protocol/clock.js';
import { FIRST_EPOCH, HEADER, LAYOUT_VERSION, reservedBytes, STATUS } from '../src/protocol/layout.js';
import {
  type Gone,
  isJoinMessage,
  isPort,
  type Joined,
  type ManagerReport,
  type ManagerStartup,
} from '../src/protocol/startup.js';
import { errorFor } from '../src/protocol/thread-error.js';
import { Connections } from './calls/connections.js';
import { Executor } from './calls/executor.js';
import { type ServeContext, serve } from './calls/serve.js';
import { Sweeper } from './calls/sweeper.js';
import { Queue } from './calls/turns.js';
import { failpoint } from './failpoints.js';
import { type Recovered, recover } from './recovery.js';
import { Endings } from './rules/endings.js';
import { Rules } from './rules/rules.js';
import { Sessions } from './rules/sessions.js';
import { Journal } from './table/journal.js';
import { Fenced } from './table/owner.js';
import type { Steps } from './table/pace.js';
import { TableWriter } from './table/table.js';

/** Milliseconds between two heartbeats. */
const BEAT = 100;

const startup = workerData as ManagerStartup;
if (startup.layoutVersion !== LAYOUT_VERSION) {
  throw new TypeError(
    `This manager is of another build: its layout is ${LAYOUT_VERSION}, not ${startup.layoutVersion}`,
  );
}

const now = readClock(startup.clock);
const table = new TableWriter(startup.memory, startup.ownerEpoch);
const { owner } = table;
const { header } = table.view;
const connections = new Connections();
const sessions = new Sessions(table);
const endings = new Endings(sessions, connections, now, startup.whenReused === 'end-session');
const rules = new Rules(sessions, endings, connections, startup, now);
const executor = new Executor({
  rules,
  sessions,
  endings,
  connections,
  bytesReserved: reservedBytes(startup.memory),
  stop,
  die,
});
// The first heartbeat, at once: from now on the supervisor notices if this thread hangs.
runOrDie(() => owner.beat());
const heartbeat = setInterval(() => runOrDie(() => owner.beat()), BEAT);
const inherited = startup.connections.map(({ number, port, words, journal }) => ({
  number,
  port: port as MessagePort,
  words: new Int32Array(words),
  journal: new Journal(journal, owner),
}));
const recovered = await takeOver();
// Instants in the future are ignored: they come from memory that other threads can write, and would let no session
// begin for years.
for (const at of recovered.closings) if (at <= now()) endings.awaitClosing(at);
const { turns } = executor;
const sweeper = new Sweeper(startup.sweep, endings, turns, connections);
const clock = startup.manualClock ? undefined : followWallClock();

const served: ServeContext = {
  rules,
  endings,
  connections,
  executor,
  owner,
  settings: startup.settings,
  newNumber: () => Atomics.add(header, HEADER.connections, 1) + 1,
  joined,
};
for (const each of inherited)
  serve(each.port, served, undefined, { ...each, pins: recovered.pins.get(each.number) ?? [] });
void turns.do(new Queue(), endSessionsOfLostConnections);
// Other threads' ports arrive this way; other messages are ignored.
process.on('workerMessage', (value: unknown) => {
  if (isJoinMessage(value) && isPort(value.port)) {
    serve(value.port as MessagePort, served, isPort(value.second) ? (value.second as MessagePort) : undefined);
  }
});
parentPort?.on('message', (gone: Gone) => connections.closeNumber(gone.number));
// Only the ports and the heartbeat keep this thread alive.
parentPort?.unref();
runOrDie(() => {
  owner.check();
  header[HEADER.threadId] = threadId;
  owner.check();
  Atomics.store(header, HEADER.status, STATUS.running);
});
report({ coatcheck: 'running', recovered: recovered.sessions, setAside: recovered.setAside });
failpoint('running: told');

function report(what: ManagerReport, ports: readonly MessagePort[] = []): void {
  parentPort?.postMessage(what, ports);
}

function joined(member: Joined): void {
  report({ coatcheck: 'joined', ...member }, [member.second as MessagePort]);
}

/** Rebuilds the manager's lists from what a former manager left in the table. Nothing to do for the first manager. */
async function takeOver(): Promise<Recovered> {
  if (startup.ownerEpoch === FIRST_EPOCH) return { sessions: 0, setAside: [], pins: new Map(), closings: [] };
  const recovering = recover(sessions, inherited, startup.suspect);
  for (;;) {
    const step = recovering.next();
    if (step.done) return step.value;
    table.pace.begin();
    // Between two steps, so that this thread handles the messages that it gets.
    await turn();
  }
}

/** Ends the sessions linked to threads that died while there was no manager. */
function* endSessionsOfLostConnections(): Steps<void> {
  const known = new Set(inherited.map(({ number }) => number));
  for (const number of sessions.linkedConnections) if (!known.has(number)) yield* rules.connectionLost(number);
  connections.flush();
}

/** Runs work that has no caller: if it fails, this manager has to end. */
function runOrDie(work: () => void): void {
  try {
    work();
  } catch (error) {
    die(error);
  }
}

/** Ends this thread at once. A fenced manager reports nothing: it was replaced. */
function die(error: unknown): never {
  if (!(error instanceof Fenced)) report({ coatcheck: 'dying', why: errorFor(error) });
  process.exit(1);
}

/** Compares session time with the wall clock each second, and adjusts it. */
function followWallClock(): NodeJS.Timeout {
  const mono = monotonic();
  let state: Parameters<typeof judgeAnchor>[3];
  return setInterval(() => {
    const before = clockOffset(startup.clock);
    const judged = judgeAnchor(before, Date.now(), mono(), state);
    state = judged.state;
    if (judged.offset === before) return;
    runOrDie(() => {
      owner.check();
      setClockOffset(startup.clock, judged.offset);
    });
  }, 1000);
}

/** Ends every session, tells everyone who listens, and ends the thread once the last replies are sent. */
function* stop(): Steps<void> {
  const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
  yield* rules.closeAllSessions(everything, 'stopped');
  failpoint('stop: sessions ended');
  // Sessions that nobody listens to are not freed one by one: the whole table is released.
  for (const telling = endings.telling(); !telling.next().done; yield) connections.flush();
  connections.flush();
  owner.check();
  Atomics.store(header, HEADER.status, STATUS.stopped);
  failpoint('stop: status stored');
  clearInterval(clock);
  void sweeper.stop();
  setImmediate(() =>
    setImmediate(() => {
      failpoint('stop: ports closing');
      connections.closeAll();
      clearInterval(heartbeat);
    }),
  );
}
