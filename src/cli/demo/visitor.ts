/**
 * One request, with what is known about it before it is handled, and the table of who handles what. Runs in the main
 * thread.
 */

import type { IncomingMessage } from 'node:http';
import type { RequestSession } from '../../http/express.js';
import type { Reply } from './reply.js';
import type { Visits } from './visits.js';

export interface Visitor {
  readonly request: IncomingMessage;
  /** One of this machine's own names, with the port. */
  readonly host: string;
  readonly query: URLSearchParams;
  /** Empty unless something was posted. */
  readonly form: URLSearchParams;
  readonly session: RequestSession<Visits>;
}

export type Handler = (visitor: Visitor) => Promise<Reply>;
export type Route = Readonly<Partial<Record<'GET' | 'POST', Handler>>>;

/** By path. */
export type Routes = Readonly<Record<string, Route>>;
