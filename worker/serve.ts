/** Serves the calls that arrive on one port: greets, has batches done, notices the thread at the other end die. Manager's thread; Comlink is named here only. */

import type { MessagePort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { CONNECTION, type Hello, type ManagerApi, MOST_COPIED, type Welcome } from '../src/protocol/calls.js';
import { LAYOUT_VERSION } from '../src/protocol/layout.js';
import type { Connection, Connections } from './connections.js';
import type { Endings } from './endings.js';
import type { Executor } from './executor.js';
import { guard } from './gate.js';
import type { Manager } from './manager.js';

/** What is behind every port. */
export interface Served {
  readonly manager: Manager;
  readonly endings: Endings;
  readonly connections: Connections;
  readonly executor: Executor;
  /** What a thread that joins has to know; handed on unread. */
  readonly settings: unknown;
  /** Frees, in slices, what a call ended all at once. */
  readonly freeEnded: () => void;
}

/** Serves a port until it closes, which it also does when the thread at its other end dies. */
export function serve(port: MessagePort, served: Served): void {
  const { manager, endings, connections, executor } = served;
  let connection: Connection | undefined;
  const api: ManagerApi = {
    greet(hello: Hello): Welcome {
      const accepted = hello?.layoutVersion === LAYOUT_VERSION && hello.words instanceof SharedArrayBuffer;
      if (!accepted || hello.words.byteLength < CONNECTION.words * 4)
        return { accepted: false, layoutVersion: LAYOUT_VERSION };
      connection ??= connections.add(port, new Int32Array(hello.words));
      return { accepted: true, settings: served.settings };
    },
    execute(batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
      const reply =
        connection === undefined || !(batch instanceof ArrayBuffer)
          ? new ArrayBuffer(0)
          : executor.execute(connection, batch);
      if (endings.hasMoreToFree) served.freeEnded();
      return reply instanceof Promise ? reply.then(handOver) : handOver(reply);
    },
  };
  guard(port);
  port.on('close', () => {
    if (connection === undefined) return;
    const lost = connection;
    connections.remove(lost);
    void executor.alone(() => {
      manager.connectionLost(lost.number);
      connections.flush();
    });
  });
  Comlink.expose(api, port as unknown as Comlink.Endpoint);
}

/** A large reply travels without being copied. */
function handOver(reply: ArrayBuffer): ArrayBuffer {
  return reply.byteLength > MOST_COPIED ? Comlink.transfer(reply, [reply]) : reply;
}
