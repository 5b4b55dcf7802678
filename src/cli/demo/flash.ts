/** A flash message: shown on the next page of this visitor, and on no other. Runs in the main thread. */

import type { Visitor } from './visitor.js';

/**
 * Shared memory tells whether there is a message, so pages without one send no call. Of several pages that ask at the
 * same time, one gets the message.
 */
export async function takeFlash({ request, session }: Visitor): Promise<string | undefined> {
  if (request.method === 'HEAD' || session.data.flash === undefined) return undefined;
  return session.take('flash');
}
