/**
 * Objects of one shape, where V8 would give each a shape of its own. Runs in every thread of the host.
 *
 * Express gives every request and response another prototype after it was made. Up to version 12 of V8 such an object shares its shape with no other from then on: each property
 * that Express and Node put on it afterwards costs a copy of that shape, and each that they read a search, some hundred times a request, a third of all that a small one
 * takes. Once it has lost a property, and be it for a moment, V8 keeps its properties in a table, and all such objects have one shape again.
 * From version 13 on they share their shapes without that, and a table would be slower.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';

const isNeeded = Number.parseInt(process.versions.v8, 10) < 13;

/** For a request and its response. Does nothing to those that have the prototypes they were made with. */
export function shareShapes(request: IncomingMessage, response: ServerResponse): void {
  if (!isNeeded) return;
  shareShape(request, 'complete');
  shareShape(response, 'sendDate');
}

/** `name`: a property of the object's own that does no harm while it is gone. */
function shareShape<N extends string>(object: { [name in N]: unknown }, name: N): void {
  if (Object.hasOwn(Object.getPrototypeOf(object) ?? {}, 'constructor')) return;
  const property = Object.getOwnPropertyDescriptor(object, name);
  // As Node makes it, so that it can be put back like that.
  if (property?.writable && property.enumerable && Reflect.deleteProperty(object, name)) object[name] = property.value;
}
