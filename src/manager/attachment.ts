/**
 * What ties this thread to one manager, from the greeting to the end: the connection, the event listeners and the
 * watched sessions. Whatever the manager or its supervisor tells this thread arrives here. Runs in every thread of the
 * host.
 */

import type { MessagePort } from 'node:worker_threads';
import { noFields } from '../calls/batch.js';
import { Connection } from '../calls/connection.js';
import type { ConnectionListener, LinkState } from '../calls/link.js';
import { Refused } from '../calls/refused.js';
import { withFormat } from '../cookies/cookies.js';
import { Handles } from '../lookup/handles.js';
import type { Settings } from '../options/settings.js';
import { CALL } from '../protocol/calls.js';
import { isManual, readClock } from '../protocol/clock.js';
import type { SessionErrorCode } from '../protocol/errors.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import type { ManagerFollower, Membership } from '../threads/membership.js';
import { isOver, otherBuild } from '../threads/ticket.js';
import type { SessionEvents } from '../types/types.js';
import { Events } from './events.js';
import { type WatchEnd, WatchedSessions } from './watched-sessions.js';

export class Attachment implements ConnectionListener, ManagerFollower {
  readonly membership: Membership;
  readonly header: Int32Array;
  readonly now: () => number;
  readonly handles = new Handles();
  readonly connection: Connection;
  readonly events: Events;
  readonly watched: WatchedSessions;
  /** False until the manager has accepted this thread: a port that closes before then makes the join fail. */
  #isGreeted = false;

  /** `connect` makes the connection; the connection tells the listener that it is given. */
  constructor(membership: Membership, connect: (listener: ConnectionListener) => Connection) {
    const { memory, clock } = membership.ticket;
    this.membership = membership;
    this.header = new Int32Array(memory.header);
    this.now = readClock(clock);
    this.connection = connect(this);
    this.watched = new WatchedSessions(this.handles, this.connection, this, isManual(clock));
    this.events = new Events(
      (bits) => this.connection.call(CALL.subscribe, (to) => to.u32(bits), noFields),
      (slot, generation, reason) => this.watched.notifyEnded(slot, generation, reason),
    );
    membership.follow(this);
  }

  static over(port: MessagePort, membership: Membership): Attachment {
    const { memory, ticket } = membership;
    return new Attachment(membership, (listener) => new Connection(port, memory, ticket.callTimeout, listener));
  }

  /**
   * Greets the manager, and resolves to the settings that it hands to each thread. Rejects with ERR_MANAGER_FAILED if
   * the port closes first, with ERR_MANAGER_NOT_FOUND if the manager is of another build.
   */
  async greet(): Promise<Settings> {
    const welcome = await this.connection.greet();
    if (!welcome.accepted) {
      this.connection.close(new Refused('ERR_MANAGER_NOT_FOUND'));
      throw otherBuild(this.membership.ticket.name, welcome.layoutVersion);
    }
    const settings = await withFormat(welcome.settings as Settings);
    this.#isGreeted = true;
    return settings;
  }

  /** From now on every call is refused, and this thread hears of nothing any more. */
  close(why: WatchEnd): void {
    this.connection.close(new Refused(why === 'failed' ? 'ERR_MANAGER_FAILED' : 'ERR_MANAGER_STOPPED'));
    this.events.end();
    this.watched.end(why);
  }

  #managerLost(): SessionErrorCode {
    // In the thread that started the manager, the ticket stays published: threads that come later learn from it how
    // the manager ended.
    if (this.membership.ended === undefined) this.membership.forget();
    const isStopped = Atomics.load(this.header, HEADER.status) === STATUS.stopped;
    if (this.#isGreeted) this.close(isStopped ? 'stopped' : 'failed');
    return isStopped ? 'ERR_MANAGER_STOPPED' : 'ERR_MANAGER_FAILED';
  }

  // ------------------------------------------------------------ what the connection tells

  notices(bytes: Uint8Array): number {
    return this.events.receive(bytes);
  }

  lost(): SessionErrorCode | undefined {
    const { restarts, ticket, portClosed } = this.membership;
    if (!restarts || !this.#isGreeted || isOver(ticket)) return this.#managerLost();
    portClosed?.();
    return undefined;
  }

  state(): LinkState {
    return { events: this.events.stateForGreeting(), watched: this.handles.watched };
  }

  sessionsEnded(sessions: Int32Array): void {
    this.watched.notifyAllEnded(sessions);
  }

  // ------------------------------------------------------------ what the supervisor tells

  reconnect(port: MessagePort): void {
    this.connection.reconnect(port);
  }

  restarted(event: SessionEvents['restarted']): void {
    this.events.restarted(event);
  }

  managerEnded(): void {
    this.connection.close(new Refused(this.#managerLost(), 'unknown'));
  }
}
