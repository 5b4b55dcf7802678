/** Reads the form of a request. Runs in the main thread. */

import type { IncomingMessage } from 'node:http';
import { Refusal } from './reply.js';

/** All forms of the demo are much smaller. */
export const LONGEST_BODY = 16 * 1024;

/** So much of a body that is too long is read and dropped, so that the client reads the answer. */
const LONGEST_DROPPED = 1024 * 1024;

/**
 * Rejects with a Refusal if the body is no form or too long. Never settles if the client disconnects, as the connection
 * then ends the request.
 */
export function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLong = () => reject(new Refusal(413, 'Too much', `A form has at most ${LONGEST_BODY} bytes.`));
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= LONGEST_BODY) chunks.push(chunk);
      if (bytes > LONGEST_DROPPED) {
        request.pause();
        tooLong();
      }
    });
    request.on('end', () => {
      if (bytes > LONGEST_BODY) tooLong();
      else if (type !== 'application/x-www-form-urlencoded' && bytes > 0)
        reject(new Refusal(415, 'Not a form', 'Forms are sent as application/x-www-form-urlencoded.'));
      else resolve(new URLSearchParams(Buffer.concat(chunks).toString('utf8')));
    });
    // Without a listener, a broken connection would end the process.
    request.on('error', () => undefined);
  });
}

/** A user name, trimmed: 1 to 64 characters, none of them a control character. Undefined for any other. */
export function userNameOf(form: URLSearchParams): string | undefined {
  const name = (form.get('user') ?? '').normalize('NFC').trim();
  return name === '' || [...name].length > 64 || /\p{Cc}/u.test(name) ? undefined : name;
}
