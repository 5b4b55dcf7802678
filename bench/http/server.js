// One site of Express, by the name that it is given: without sessions, with express-session and its MemoryStore, or
// with coatcheck. A process of its own, which does nothing else: it tells its port, and whenever it is asked what it
// has used of the processors.

import { startSessionManager } from 'coatcheck';
import { coatcheck } from 'coatcheck/express';
import express from 'express';
import session from 'express-session';
import { shopData } from '../data.js';

const app = express();
const greet = (name) => `hello ${name}`;

const begin = {
  async none() {
    app.get('/login', (_, response) => response.cookie('id', 'none').send('welcome'));
    app.get('/', (_, response) => response.send(greet(shopData.name)));
  },

  async 'express-session'() {
    // Of NODE_ENV=production it only warns.
    const store = new session.MemoryStore();
    const cookie = { maxAge: 1_800_000 };
    app.use(session({ name: 'id', secret: 'x'.repeat(32), store, resave: false, saveUninitialized: false, cookie }));
    app.get('/login', (request, response) => {
      Object.assign(request.session, shopData);
      response.send('welcome');
    });
    app.get('/', (request, response) => response.send(greet(request.session.name)));
  },

  async coatcheck() {
    const sessions = await startSessionManager({ cookie: { secure: false } });
    app.use(coatcheck(sessions));
    app.get('/login', (request, response) => {
      void request.session.set(shopData);
      response.send('welcome');
    });
    app.get('/', (request, response) => response.send(greet(request.session.data.name)));
  },
};

await begin[process.argv[2]]();
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
// Whoever is not asked for a while, as it is another's turn, keeps its visitors.
server.keepAliveTimeout = 0;
process.on('message', () => process.send(process.cpuUsage()));
process.on('disconnect', () => process.exit());
