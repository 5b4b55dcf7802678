/** The threads of a manager, as its supervisor reaches them. Runs in the thread that started the manager. */

import type { MessagePort } from 'node:worker_threads';
import type { Joined, SupervisorMessage, ThreadError } from '../protocol/startup.js';

/** A thread that has joined, or the one that started, as it is told of restarts. */
export interface Member {
  readonly number: number;
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
  /** `epoch`: that of the manager at the other end of the port. */
  renew(port: MessagePort, epoch: number): void;
  restarted(why: ThreadError, restarts: number, recovered: number): void;
  over(): void;
}

/** A thread that has joined, at the other end of its second port. */
export function memberOf({ number, words, journal, second }: Joined, gone: () => void): Member {
  const port = second as MessagePort;
  const post = (message: SupervisorMessage, ports: readonly MessagePort[] = []) => port.postMessage(message, ports);
  port.on('close', gone);
  // Read, so that the close behind it is noticed; nothing that a thread may say here is listened to.
  port.on('message', () => {});
  port.unref();
  return {
    number,
    words,
    journal,
    renew: (renewed, epoch) => post({ coatcheck: 'reconnect', port: renewed, epoch }, [renewed]),
    restarted: (why, restarts, recovered) => post({ coatcheck: 'restarted', why, restarts, recovered }),
    over: () => port.close(),
  };
}
