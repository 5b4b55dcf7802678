/** The script of the live page, the only one of the demo. Made in the main thread. */

import { createHash } from 'node:crypto';
import { constant } from './html.js';

/** The path of the WebSocket. */
export const SOCKET_PATH = '/live/socket';

/** The close code of a socket whose session has ended, from the range for applications. */
export const SESSION_ENDED = 4001;

const source = `
const at = (id) => document.getElementById(id);
const words = {
  closed: 'it was logged out', terminated: 'it was ended', idle: 'it was not used for too long',
  expired: 'it was too old', evicted: 'its place was needed', 'over-limit': 'there are too many others', stopped: 'the demo ends',
};
const socket = new WebSocket('ws://' + location.host + '${SOCKET_PATH}');
socket.onopen = () => { at('state').textContent = 'Your session is alive.'; };
socket.onmessage = ({ data }) => {
  const { time, visits } = JSON.parse(data);
  at('time').textContent = time;
  at('visits').textContent = visits;
};
socket.onclose = ({ code, reason }) => {
  at('state').className = 'over';
  at('state').textContent = code === ${SESSION_ENDED}
    ? 'Your session has ended: ' + (words[reason] ?? reason) + '.'
    : 'The connection has ended. Load this page again.';
  at('again').hidden = code !== ${SESSION_ENDED};
};
`;

export const script = constant(`<script>${source}</script>`);

/** For `script-src` of the Content-Security-Policy. */
export const scriptSource = `'sha256-${createHash('sha256').update(source).digest('base64')}'`;
