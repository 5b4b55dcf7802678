/** Sessions for Fastify 5: `coatcheck/fastify`. Runs in every thread of the host. */

import { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import type { SessionData, SessionManager } from '../index.js';
import { HttpSessions } from './core.js';
import type { HttpOptions } from './options/options.js';
import type { RequestSession, StoredData } from './options/types.js';
import { canBeHeld } from './response/held-answer.js';
import type { SessionOfRequest } from './session/request-session.js';
import { sessionProperty } from './session/session-property.js';

export * from './face.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of this request: see `RequestSession` of `coatcheck/fastify`. */
    session: RequestSession<StoredData>;
  }
}

/** The options of the plugin. */
export interface PluginOptions<D extends SessionData = Record<string, unknown>> extends HttpOptions {
  /** The manager of the sessions. */
  manager: SessionManager<D>;
}

/**
 * Set on a Fastify context, and thus visible in those below: a copy of this package has decorated `session`.
 */
const decorated = Symbol.for('coatcheck.fastify decorated');

const plugin: FastifyPluginAsync<PluginOptions> = async (fastify, { manager, ...given }) => {
  const { prefix: _, logLevel: __, logSerializers: ___, ...options } = given as Record<string, unknown>;
  const sessions = new HttpSessions(manager, options);
  // Decorated so that all requests have one shape. A surrounding context with a manager of its own may have done so.
  if (Reflect.get(fastify, decorated) !== true)
    fastify.decorateRequest('session', { getter: sessionProperty.get, setter: sessionProperty.set } as never);
  Reflect.set(fastify, decorated, true);
  fastify.addHook('onRequest', async (request, reply) => {
    if (sessions.has(request.session)) return;
    request.session = (await sessions.openNode(request.raw, reply.raw)) as unknown as RequestSession<StoredData>;
  });
  // The responses of `inject` belong to no connection whose bytes could wait: their payload waits instead.
  fastify.addHook('onSend', async (request, reply, payload) => {
    if (canBeHeld(reply.raw)) return;
    // Fastify adds its error listener only after this hook, and then still learns that the stream has failed.
    if (payload instanceof Readable) payload.on('error', () => undefined);
    await (request.session as unknown as SessionOfRequest | undefined)?.settled();
  });
};

/**
 * A plugin that gives every request a `session` (`RequestSession`), in the context that registers it and in those
 * below: `app.register(coatcheck, { manager: sessions })`. A context below may register another manager, whose sessions
 * its requests then have. Registration fails with ERR_INVALID_OPTION for wrong options, and with Fastify's
 * FST_ERR_DEC_ALREADY_PRESENT if another plugin has taken the name `session`.
 */
export const coatcheck: <D extends SessionData>(
  ...given: Parameters<FastifyPluginAsync<PluginOptions<D>>>
) => Promise<void> = Object.assign(plugin as never, {
  // As fastify-plugin does: the decorator and the hooks belong to the registering context, not to a child of it.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'coatcheck',
  [Symbol.for('plugin-meta')]: { name: 'coatcheck', fastify: '5.x' },
});
