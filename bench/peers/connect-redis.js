/** connect-redis with a redis-server of its own on 127.0.0.1, that keeps nothing on disk. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { RedisStore } from 'connect-redis';
import { createClient } from 'redis';
import { expressPeer } from './express-stores.js';

/** Undefined where no redis-server is on PATH. */
export async function openConnectRedis() {
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', options, { stdio: 'ignore' });
  try {
    await once(server, 'spawn');
  } catch {
    return undefined;
  }
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', () => {});
  await client.connect();
  return expressPeer('connect-redis', new RedisStore({ client }), {
    clear: () => client.flushAll(),
    async close() {
      client.destroy();
      server.kill();
      await once(server, 'exit');
    },
  });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
