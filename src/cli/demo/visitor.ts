/** A request with what is known about it, and the types of routes. Runs in the main thread. */

import type { IncomingMessage } from 'node:http';
import type { RequestSession } from '../../http/express.js';
import type { Reply } from './reply.js';
import type { Visits } from './visits.js';

export interface Visitor {
  readonly request: IncomingMessage;
  /** The Host header: one of this machine's own names, with the port. */
  readonly host: string;
  readonly query: URLSearchParams;
  /** Empty unless a form was posted. */
  readonly form: URLSearchParams;
  readonly session: RequestSession<Visits>;
}

export type Handler = (visitor: Visitor) => Promise<Reply>;
export type Route = Readonly<Partial<Record<'GET' | 'POST', Handler>>>;

/** By path. */
export type Routes = Readonly<Record<string, Route>>;
