/**
 * The HTTP server of the demo: plain node:http and the adapter. Routes requests and refuses wrong ones. Runs in the
 * main thread.
 */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import { types } from 'node:util';
import type { Piscina } from 'piscina';
import { coatcheck, HttpRefusal, sessionIn } from '../../http/express.js';
import { SessionError, type SessionManager } from '../../index.js';
import { tell } from '../failure.js';
import { deviceRoutes } from './devices.js';
import { readForm } from './form.js';
import { doorRoutes } from './front-door.js';
import { houseRoutes } from './house.js';
import { liveRoutes } from './live.js';
import { noteRoutes } from './note.js';
import { isCrossSite, isLocalHost } from './origin.js';
import type { PageTask } from './page-worker.js';
import { messagePage } from './pages.js';
import { CSRF_FIELD } from './post-form.js';
import { Refusal, type Reply, send, toFrontDoor } from './reply.js';
import { safeRoutes } from './safe.js';
import type { Handler, Route } from './visitor.js';
import type { Visits } from './visits.js';

export function createFront(manager: SessionManager<Visits>, pool: Piscina<PageTask, string | undefined>): Server {
  const routes = new Map<string, Route>(
    [doorRoutes(manager), houseRoutes(manager, pool), deviceRoutes, liveRoutes, safeRoutes, noteRoutes].flatMap(
      (part) => Object.entries(part),
    ),
  );
  const withSession = coatcheck(manager);

  return createServer({ requestTimeout: 15_000, headersTimeout: 10_000 }, (request, response) =>
    withSession(request, response, (failure) => {
      const reply = failure === undefined ? answer(request) : Promise.reject(failure);
      reply
        .catch(refuse)
        .then((given) =>
          send(response, request.complete ? given : { ...given, headers: { ...given.headers, Connection: 'close' } }),
        )
        .catch((error: unknown) => response.destroy(types.isNativeError(error) ? error : undefined));
    }),
  );

  async function answer(request: IncomingMessage): Promise<Reply> {
    const { host } = request.headers;
    if (!isLocalHost(host)) throw new Refusal(421, 'Not here', 'This demo answers to 127.0.0.1 and localhost only.');
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const handler = handlerOf(request, path);
    const session = sessionIn<Visits>(request);
    const form = request.method === 'POST' ? await formOf(request) : new URLSearchParams();
    return await handler({ request, host, query: new URLSearchParams(query), form, session });
  }

  function handlerOf({ method: asked }: IncomingMessage, path: string): Handler {
    const route = routes.get(path);
    if (route === undefined) throw new Refusal(404, 'No such room', 'There is no page of this name in the house.');
    const method = asked === 'HEAD' ? 'GET' : asked;
    const handler = method === 'GET' || method === 'POST' ? route[method] : undefined;
    if (handler !== undefined) return handler;
    const allowed = [
      ...(route.GET === undefined ? [] : ['GET', 'HEAD']),
      ...(route.POST === undefined ? [] : ['POST']),
    ];
    const names = allowed.join(', ');
    throw new Refusal(405, 'Not like this', `This page answers to ${names} only.`, { Allow: names });
  }
}

/**
 * The posted form, if it comes from a page of this site. If the visitor has a session, the form has to show its CSRF
 * token, as a field or in the adapter's header.
 */
async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  if (isCrossSite(request.headers))
    throw new Refusal(403, 'Not from there', 'Another site has sent this form. Nothing was changed.');
  const form = await readForm(request);
  const session = sessionIn<Visits>(request);
  if (session.current !== undefined) session.checkCsrf(form.get(CSRF_FIELD) ?? undefined);
  return form;
}

/** The answer to a thrown error. Only errors of the demo itself become a 500, and are reported on stderr. */
function refuse(error: unknown): Reply {
  if (isLoggedOut(error)) return toFrontDoor();
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    const { status, title, message, headers } = refusal;
    return { status, body: messagePage(title, message), headers };
  }
  process.stderr.write(`coatcheck demo: ${tell(error)}\n`);
  return { status: 500, body: messagePage('Something went wrong', 'It was not your fault.') };
}

/** True for the errors of a request during which its user has logged out, or logged in again, elsewhere. */
function isLoggedOut(error: unknown): boolean {
  const codes = ['ERR_SESSION_ENDED', 'ERR_TOKEN_UNKNOWN', 'ERR_LOGIN_REQUIRED'];
  return (error instanceof SessionError || error instanceof HttpRefusal) && codes.includes(error.code);
}

function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof HttpRefusal)
    return new Refusal(
      error.status,
      'Not with this form',
      'It is from before you logged in, or from no page of this site. Nothing was changed.',
    );
  return error instanceof SessionError ? busy() : undefined;
}

function busy(): Refusal {
  return new Refusal(503, 'Please wait', 'The cloakroom is busy. Come again in a moment.', { 'Retry-After': '1' });
}
