/** HTTP as it stands on the wire. */

import { connect } from 'node:net';

/** What the server writes to a connection on which this is sent, until it is closed. */
export async function wire(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let heard = '';
  for await (const chunk of socket) heard += chunk;
  return heard;
}

export const ask = (port: number, path = '/') =>
  wire(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
