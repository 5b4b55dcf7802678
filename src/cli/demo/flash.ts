/** A message for the next page that this visitor is shown, and for no other after it. Runs in the main thread. */

import type { Visitor } from './visitor.js';

/**
 * A look at memory tells whether there is one, so that the other pages send no message. Of several pages that ask at
 * once, one gets it.
 */
export async function takeFlash({ request, session }: Visitor): Promise<string | undefined> {
  if (request.method === 'HEAD' || session.data.flash === undefined) return undefined;
  return session.take('flash');
}
