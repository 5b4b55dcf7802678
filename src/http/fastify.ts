/** Sessions for Fastify 5: `coatcheck/fastify`. Runs in every thread of the host. */

import { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import type { HttpOptions } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { canBeHeld } from './response/held-answer.js';
import type { SessionOfRequest } from './session/request-session.js';

export * from './face.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of this request: see `RequestSession` of `coatcheck/fastify`. */
    session: RequestSession<StoredData>;
  }
}

/** What the plugin is registered with. */
export interface PluginOptions<D extends SessionData = Record<string, unknown>> extends HttpOptions {
  /** Whose sessions. */
  manager: SessionManager<D>;
}

/** On a context of Fastify's, and so on those below: the name `session` is taken by this package, in whichever copy. */
const decorated = Symbol.for('coatcheck.fastify decorated');

const plugin: FastifyPluginAsync<PluginOptions> = async (fastify, { manager, ...given }) => {
  const { prefix: _, logLevel: __, logSerializers: ___, ...options } = given as Record<string, unknown>;
  const sessions = new HttpSessions(manager, options);
  // A property of each request's own: requests of one kind keep one shape. It is there already within a site that has
  // a manager of its own.
  if (Reflect.get(fastify, decorated) !== true) fastify.decorateRequest('session', null as never);
  Reflect.set(fastify, decorated, true);
  fastify.addHook('onRequest', async (request, reply) => {
    if (sessions.has(request.session)) return;
    request.session = (await sessions.openNode(request.raw, reply.raw)) as unknown as RequestSession<StoredData>;
  });
  // The responses of `inject` have no bytes that could wait.
  fastify.addHook('onSend', async (request, reply, payload) => {
    if (canBeHeld(reply.raw)) return;
    // Fastify listens to a stream only afterwards, and then hears that it has failed.
    if (payload instanceof Readable) payload.on('error', () => undefined);
    await (request.session as unknown as SessionOfRequest | null)?.settled();
  });
};

/**
 * Gives every request a `session` (`RequestSession`), in the context that registers it and below:
 * `app.register(coatcheck, { manager: sessions })`. Below, another manager may be registered, whose session a request
 * there has instead. The registration fails with ERR_INVALID_OPTION where the options are wrong, and with Fastify's
 * FST_ERR_DEC_ALREADY_PRESENT where another plugin has taken the name `session`.
 */
export const coatcheck: <D extends SessionData>(
  ...given: Parameters<FastifyPluginAsync<PluginOptions<D>>>
) => Promise<void> = Object.assign(plugin as never, {
  // What fastify-plugin does: the decorator and the hooks belong to the context that registers, not to one of their
  // own.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'coatcheck',
  [Symbol.for('plugin-meta')]: { name: 'coatcheck', fastify: '5.x' },
});
