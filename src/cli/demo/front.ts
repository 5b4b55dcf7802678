/** The HTTP front of the demo: login, logout and devices; rooms are left to the pool. Runs in the main thread. */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import { parseCookie } from 'cookie';
import type { Piscina } from 'piscina';
import { type Session, SessionError, type SessionInfo, type SessionManager } from '../../index.js';
import { tell } from '../failure.js';
import { readForm, userNameOf } from './form.js';
import { isCrossSite, isLocalHost } from './guard.js';
import type { PageTask } from './page-worker.js';
import { devicesPage, messagePage, ticketPage, welcomePage } from './pages.js';
import { Refusal, type Reply, redirect, send } from './reply.js';
import { COOKIE, newVisits, rooms, type Visits } from './visits.js';

/** Of one user, in their list. */
const MOST_DEVICES = 50;
/** Pages waiting for a thread; whoever comes then is asked to come again. */
const MOST_WAITING = 256;

const ENDED = 'Your session has ended. Log in again?';

/** One request, with what is known about it before it is handled. */
interface Visitor {
  readonly request: IncomingMessage;
  readonly origin: string;
  readonly query: URLSearchParams;
  readonly cookie: string | undefined;
  readonly session: Session<Visits> | undefined;
}

type Handler = (visitor: Visitor) => Promise<Reply>;
type Route = Readonly<Partial<Record<'GET' | 'POST', Handler>>>;

export function createFront(manager: SessionManager<Visits>, pool: Piscina<PageTask, string | undefined>): Server {
  const routes = new Map<string, Route>([
    ['/', { GET: home }],
    ['/login', { POST: login }],
    ['/logout', { POST: logout }],
    ['/devices', { GET: devices }],
    ['/devices/revoke', { POST: revoke }],
    ['/devices/revoke-others', { POST: revokeOthers }],
    ...rooms.map(({ name }): [string, Route] => [`/page/${name}`, { GET: (visitor) => room(visitor, name) }]),
  ]);

  const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000 }, (request, response) => {
    answer(request)
      .catch(refuse)
      .then((reply) =>
        send(response, request.complete ? reply : { ...reply, headers: { ...reply.headers, Connection: 'close' } }),
      )
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  return server;

  async function answer(request: IncomingMessage): Promise<Reply> {
    const { host } = request.headers;
    if (!isLocalHost(host)) throw new Refusal(421, 'Not here', 'This demo answers to 127.0.0.1 and localhost only.');
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const route = routes.get(path);
    if (route === undefined) throw new Refusal(404, 'No such room', 'There is no page of this name in the house.');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const handler = method === 'GET' || method === 'POST' ? route[method] : undefined;
    if (handler === undefined) {
      const allowed = route.GET === undefined ? 'POST' : 'GET, HEAD';
      throw new Refusal(405, 'Not like this', `This page answers to ${allowed} only.`, { Allow: allowed });
    }
    if (method === 'POST' && isCrossSite(request.headers))
      throw new Refusal(403, 'Not from there', 'Another site has sent this form. Nothing was changed.');

    const cookie = parseCookie(request.headers.cookie ?? '')[COOKIE];
    const session = manager.getSession(cookie);
    return await handler({ request, origin: `http://${host}`, query: new URLSearchParams(query), cookie, session });
  }

  async function home({ session, cookie, origin, query }: Visitor): Promise<Reply> {
    const stats = await manager.stats();
    if (session?.alive) return { status: 200, body: ticketPage({ session, stats }) };
    const notice = cookie !== undefined || query.has('ended') ? ENDED : undefined;
    return { status: 200, body: welcomePage({ origin, notice, stats }), headers: clearing(cookie) };
  }

  async function login({ request, origin, session }: Visitor): Promise<Reply> {
    const user = userNameOf(await readForm(request));
    if (user === undefined) {
      const notice = 'A name has 1 to 64 characters, and no control characters among them.';
      return { status: 400, body: welcomePage({ origin, notice, stats: await manager.stats() }) };
    }
    const loggedIn = (await loginAgain(session, user)) ?? (await loginAnew(request, user));
    return redirect('/', { 'Set-Cookie': manager.getCookieData(loggedIn).toString() });
  }

  /** Whoever comes with a session keeps it under a new token; what another user has left in it goes. */
  async function loginAgain(session: Session<Visits> | undefined, user: string) {
    try {
      await session?.login(user, session.userId === user ? {} : newVisits());
      return session;
    } catch (error) {
      if (isEnded(error)) return undefined;
      throw error;
    }
  }

  function loginAnew(request: IncomingMessage, userId: string): Promise<Session<Visits>> {
    const ip = request.socket.remoteAddress;
    const userAgent = request.headers['user-agent'];
    const client = { ...(ip === undefined ? {} : { ip }), ...(userAgent === undefined ? {} : { userAgent }) };
    return manager.newSession({ userId, data: newVisits(), client });
  }

  async function logout({ session, cookie }: Visitor): Promise<Reply> {
    await session?.close('logged out');
    return redirect('/', clearing(cookie));
  }

  async function devices({ session, query }: Visitor): Promise<Reply> {
    if (session === undefined) return redirect('/?ended');
    const own = await devicesOf(session);
    const ended = Number(query.get('ended'));
    const notice = Number.isSafeInteger(ended) && ended > 0 ? endedInWords(ended) : undefined;
    return { status: 200, body: devicesPage({ session, devices: own, notice }) };
  }

  async function revoke({ request, session, cookie }: Visitor): Promise<Reply> {
    const id = (await readForm(request)).get('id');
    if (session === undefined) return redirect('/?ended');
    // Only what is among the user's own is closed: an id is no secret.
    const device = (await devicesOf(session)).find((own) => own.id === id);
    if (device === undefined) throw new Refusal(404, 'No such device', 'None of your live sessions has this id.');
    await manager.sessionWantsToClose(device.id);
    return device.id === session.id ? redirect('/', clearing(cookie)) : redirect('/devices?ended=1');
  }

  async function revokeOthers({ session }: Visitor): Promise<Reply> {
    if (session?.userId === undefined) return redirect('/?ended');
    const ended = await manager.closeAllSessions({ userId: session.userId, except: session.id });
    return redirect(`/devices?ended=${ended}`);
  }

  async function room({ request, cookie }: Visitor, name: string): Promise<Reply> {
    if (pool.queueSize >= MOST_WAITING) throw busy();
    const body = await pool.run({ room: name, cookie, counts: request.method !== 'HEAD' });
    if (body === undefined) throw busy();
    return { status: 200, body };
  }

  /** This one first, then those seen last. */
  async function devicesOf({ id, userId }: SessionInfo): Promise<SessionInfo[]> {
    const own: SessionInfo[] = [];
    if (userId === undefined) return own;
    for await (const device of manager.getAllSessions({ userId, limit: MOST_DEVICES })) own.push(device);
    return own.sort(
      (a, b) => Number(b.id === id) - Number(a.id === id) || b.lastSeenAt.getTime() - a.lastSeenAt.getTime(),
    );
  }

  /** For a browser whose cookie opens nothing any more. */
  function clearing(cookie: string | undefined): Record<string, string> {
    return cookie === undefined ? {} : { 'Set-Cookie': manager.clearCookieData().toString() };
  }
}

/** The answer to what was thrown. Only what is nobody's fault but ours is a 500, and is told on stderr. */
function refuse(error: unknown): Reply {
  if (isEnded(error)) return redirect('/?ended');
  const refusal = error instanceof SessionError ? busy() : error;
  if (refusal instanceof Refusal) {
    const { status, title, message, headers } = refusal;
    return { status, body: messagePage(title, message), headers };
  }
  process.stderr.write(`coatcheck demo: ${tell(error)}\n`);
  return { status: 500, body: messagePage('Something went wrong', 'It was not your fault.') };
}

function busy(): Refusal {
  return new Refusal(503, 'Please wait', 'The cloakroom is busy. Come again in a moment.', { 'Retry-After': '1' });
}

function isEnded(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'ERR_SESSION_ENDED';
}

function endedInWords(count: number): string {
  return count === 1 ? 'One other device is logged out.' : `${count} other devices are logged out.`;
}
