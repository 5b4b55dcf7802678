/**
 * Serves the calls that arrive on one port: greets, does batches, and notices when the thread at the other end dies.
 * Manager's thread; the only file that uses Comlink.
 */

import { types } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { CONNECTION, type ManagerApi, MOST_COPIED } from '../../src/protocol/calls.js';
import type { Hello, Welcome } from '../../src/protocol/greeting.js';
import { JOURNAL_BYTES } from '../../src/protocol/journal.js';
import { LAYOUT_VERSION } from '../../src/protocol/layout.js';
import type { Joined } from '../../src/protocol/startup.js';
import { failpoint } from '../failpoints.js';
import type { Endings } from '../rules/endings.js';
import type { Rules } from '../rules/rules.js';
import { Journal } from '../table/journal.js';
import type { Owner } from '../table/owner.js';
import { type Steps, UNITS } from '../table/pace.js';
import type { Pin } from '../table/pins.js';
import { CallerConnection, type Connections } from './connections.js';
import type { Executor } from './executor.js';
import { installGate } from './gate.js';
import { Queue } from './turns.js';

const { isArrayBuffer, isInt32Array, isSharedArrayBuffer } = types;

/** What all ports share. */
export interface ServeContext {
  readonly rules: Rules;
  readonly endings: Endings;
  readonly connections: Connections;
  readonly executor: Executor;
  readonly owner: Owner;
  /** What a thread that joins has to know; passed on unread. */
  readonly settings: unknown;
  /** Returns a number that no connection of this table has had. */
  readonly newNumber: () => number;
  /** Tells the supervisor that a thread has joined. */
  readonly joined: (member: Joined) => void;
}

/** A method of ports that their types lack. */
type RefCounted = MessagePort & { hasRef(): boolean };

/** A connection that survived its manager, as the supervisor hands it over. */
interface Inherited {
  readonly number: number;
  readonly words: Int32Array;
  readonly journal: Journal;
  readonly pins: readonly Pin[];
}

/**
 * Serves a port until it closes, which it also does when the thread at its other end dies. `second` is the port through
 * which the supervisor will reach that thread when this manager has died; `inherited` describes a connection that a
 * former manager served.
 */
export function serve(port: MessagePort, served: ServeContext, second?: MessagePort, inherited?: Inherited): void {
  const { rules, endings, connections, executor, owner } = served;
  const { table, turns } = executor;
  const queue = new Queue();
  let connection: CallerConnection | undefined;
  let isClosed = false;
  let isSecondClosed = false;
  const add = (number: number, words: Int32Array, journal: Journal, isInherited: boolean): CallerConnection => {
    connection = connections.add(new CallerConnection(number, port, words, journal, { queue, isInherited }));
    return connection;
  };
  if (inherited !== undefined) {
    const { pins } = add(inherited.number, inherited.words, inherited.journal, true);
    for (const pin of inherited.pins) pins.add(table, pin);
    failpoint('connect: taken over');
  }
  const api: ManagerApi = {
    greet: (hello: Hello) => turns.do(queue, () => welcome(hello)),
    execute(batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
      if (connection === undefined || !isArrayBuffer(batch)) return new ArrayBuffer(0);
      const reply = executor.execute(connection, batch);
      return isArrayBuffer(reply) ? handOver(reply) : reply.then(handOver);
    },
  };

  function* welcome(hello: Hello): Steps<Welcome> {
    // The port may have closed while this waited for its turn: nothing would remove the connection again.
    if (isClosed || !isHello(hello)) return { accepted: false, layoutVersion: LAYOUT_VERSION };
    failpoint('connect: greeted');
    const { words, journal, events, watched } = hello;
    if (connection === undefined) {
      const number = served.newNumber();
      add(number, new Int32Array(words), new Journal(journal, owner), false);
      failpoint('connect: entered');
      // Without the second port, the thread would not learn of this manager's death; most likely the thread has died.
      if (isSecondClosed) port.close();
      else if (second !== undefined) served.joined({ number, words, journal, second });
      failpoint('connect: told the supervisor');
    }
    const over = yield* resume(connection as CallerConnection, events, watched);
    return { accepted: true, settings: served.settings, over };
  }

  /**
   * Continues with the events that the thread listened to and the sessions that it watched. Returns which of those
   * sessions have ended meanwhile.
   */
  function* resume(to: CallerConnection, events: number, watched: Int32Array): Steps<Int32Array> {
    const over: number[] = [];
    connections.subscribe(to, events);
    for (let i = 0; i + 1 < watched.length; i += 2) {
      const target = { slot: (watched[i] as number) >>> 0, generation: watched[i + 1] as number };
      if (!rules.endIfOver(target)) connections.watch(to, target.slot);
      else over.push(target.slot, target.generation, endings.reasonOf(target));
      table.pace.spend(UNITS.record);
      if (table.pace.isOver) yield;
    }
    return Int32Array.from(over);
  }

  function closed(): void {
    isClosed = true;
    second?.close();
    if (connection === undefined) return;
    const lost = connection;
    connection = undefined;
    connections.remove(lost);
    failpoint('disconnect: port closed');
    // Queued behind the batches that had arrived.
    void turns.do(queue, () => forget(lost));
  }

  function* forget(lost: CallerConnection): Steps<void> {
    lost.pins.releaseAll(table);
    yield* rules.connectionLost(lost.number);
    connections.flush();
  }

  second?.once('close', () => {
    isSecondClosed = true;
    // The thread is gone, or has given up joining: nothing else closes the port.
    if (connection === undefined) port.close();
  });
  installGate(port);
  port.on('close', closed);
  Comlink.expose(api, port as unknown as Comlink.Endpoint);
  // A port that was closed before this thread listened to it emits no 'close' any more. It is recognized by holding no
  // ref.
  if (!(port as RefCounted).hasRef()) closed();
}

function isHello(hello: Hello): boolean {
  return (
    hello?.layoutVersion === LAYOUT_VERSION &&
    isSharedArrayBuffer(hello.words) &&
    hello.words.byteLength >= CONNECTION.words * 4 &&
    hello.words.byteLength % 4 === 0 &&
    isSharedArrayBuffer(hello.journal) &&
    hello.journal.byteLength >= JOURNAL_BYTES &&
    Number.isInteger(hello.events) &&
    isInt32Array(hello.watched)
  );
}

/** Large replies are transferred, not copied. */
function handOver(reply: ArrayBuffer): ArrayBuffer {
  return reply.byteLength > MOST_COPIED ? Comlink.transfer(reply, [reply]) : reply;
}
