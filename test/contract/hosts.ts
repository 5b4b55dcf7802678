/**
 * The three places where the session rules run, behind one face: the bare rules, a port in one thread, the real manager
 * thread.
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import {
  Attachment,
  ByteReader,
  ByteWriter,
  type Call,
  CallerConnection,
  CONNECTION,
  Connections,
  Endings,
  Executor,
  HEADER,
  isManualClock,
  Journal,
  LAYOUT_VERSION,
  ManagerClient,
  type ManagerOptions,
  type ManualClock,
  memoryOf,
  Queue,
  type Refused,
  Rules,
  readAnswer,
  readClock,
  reserveConnectionMemory,
  reserveTable,
  resolveOptions,
  type SessionManager,
  Sessions,
  STATUS,
  serve,
  settingsOf,
  shapeFor,
  TableWriter,
  writeCall,
} from '../support/internals.js';

/** Any instant: tests are about what comes after it. */
export const START = Date.UTC(2026, 0, 1);

export interface Host {
  readonly manager: SessionManager;
  readonly clock: ManualClock;
}

export type StartHost = (options?: ManagerOptions) => Promise<Host>;

/** Calls go to the rules as bytes, with no port and no thread between. */
export const overBareRules: StartHost = async (options) => {
  const { clock, memory, resolved, parts } = assemble(options);
  const line = reserveConnectionMemory();
  const heard = (message: { notices: ArrayBuffer }) => attachment.notices(new Uint8Array(message.notices));
  const port = { postMessage: (message: never) => queueMicrotask(() => heard(message)), close() {} };
  const journal = new Journal(line.journal, parts.owner);
  const connection = parts.connections.add(
    new CallerConnection(1, port as unknown as MessagePort, new Int32Array(line.words), journal),
  );
  const { executor } = parts;
  let made = 0;
  const answer = async (call: Call, batch: ArrayBuffer) => {
    const reply = await executor.execute(connection, batch);
    Atomics.store(connection.words, CONNECTION.settled, Atomics.load(connection.words, CONNECTION.begun));
    readAnswer(new ByteReader(new Uint8Array(reply), 4), call);
  };
  const calls = {
    pending: 0,
    make(call: Call): void {
      const to = new ByteWriter();
      to.f64(++made);
      to.u32(1);
      writeCall(to, call);
      void answer(call, to.copy().buffer);
    },
    call<T>(which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => T): Promise<T | Refused> {
      return new Promise((settle) => {
        this.make({ which, write, done: (from) => settle(read(from)), refused: settle });
      });
    },
    close() {},
  };
  const attachment = new Attachment(memberOf(memory, clock), () => calls as never);
  const manager = new ManagerClient(attachment, settingsOf(resolved));
  return { manager: manager as unknown as SessionManager, clock };
};

/** The gate, Comlink and the connections, as in the manager's thread, at the other end of a port in this one. */
export const overPort: StartHost = async (options) => {
  const { clock, memory, resolved, parts } = assemble(options);
  const { port1, port2 } = new MessageChannel();
  serve(port2, { ...parts, settings: settingsOf(resolved), newNumber: () => 1, joined: () => {} });
  port2.unref();
  const manager = await ManagerClient.greet(port1, memberOf(memory, clock));
  return { manager: manager as unknown as SessionManager, clock };
};

let names = 0;

export const overThread: StartHost = async (options) => {
  const clock = createManualClock(START);
  // Swept by the tests' own calls alone: midnight of a 29th of February.
  const sweep = '0 0 0 29 2 *';
  return {
    manager: await startSessionManager({ name: `contract ${++names}`, maxSessions: 1000, clock, sweep, ...options }),
    clock,
  };
};

function assemble(options: ManagerOptions | undefined) {
  const clock = createManualClock(START);
  const resolved = resolveOptions({ maxSessions: 1000, maxBytes: 2 ** 24, clock, ...options }, isManualClock);
  const now = readClock(memoryOf(clock));
  const memory = reserveTable(shapeFor(resolved), [1, 2]);
  const header = new Int32Array(memory.header);
  header[HEADER.ownerEpoch] = 1;
  const connections = new Connections();
  const table = new TableWriter(memory, 1);
  const sessions = new Sessions(table);
  const endings = new Endings(sessions, connections, now);
  const rules = new Rules(sessions, endings, connections, resolved, now);
  const executor: Executor = new Executor({
    rules,
    sessions,
    endings,
    connections,
    bytesReserved: 0,
    *stop() {
      const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
      yield* rules.closeAllSessions(everything, 'stopped');
      yield* endings.telling();
      connections.flush();
      Atomics.store(header, HEADER.status, STATUS.stopped);
      setImmediate(() => connections.closeAll());
    },
    die: (error) => {
      throw error;
    },
  });
  const freeing = new Queue();
  endings.onToFree = () =>
    setImmediate(() =>
      executor.turns.do(freeing, function* freeAndTell() {
        yield* endings.freeing();
        connections.flush();
      }),
    );
  return { clock, memory, resolved, parts: { rules, endings, connections, executor, owner: table.owner } };
}

function memberOf(memory: ReturnType<typeof reserveTable>, clock: ManualClock) {
  return {
    ticket: ticketTo(memory, clock),
    schema: undefined,
    ended: async () => {},
    forget: () => undefined,
    memory: reserveConnectionMemory(),
    restarts: false,
    follow: () => undefined,
  };
}

function ticketTo(memory: ReturnType<typeof reserveTable>, clock: ManualClock) {
  return {
    coatcheck: LAYOUT_VERSION,
    name: 'contract',
    threadId: 0,
    callTimeout: 5000,
    restarts: false,
    memory,
    clock: memoryOf(clock),
  };
}
