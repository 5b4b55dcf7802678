/** The managers that this thread has started or joined, by name. It hangs on the global object, so that two copies of the package in one thread find the same. */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { SessionManager } from './types.js';

type Data = Record<string, unknown>;

export interface Registered {
  readonly manager: Promise<SessionManager<Data>>;
  readonly schema: StandardSchemaV1 | undefined;
}

const KEY = Symbol.for('coatcheck.managers');

/** The registry of this thread. */
export function managersHere(): Map<string, Registered> {
  const holder = globalThis as unknown as Record<symbol, Map<string, Registered> | undefined>;
  holder[KEY] ??= new Map();
  return holder[KEY];
}

/** Registers a manager under its name while it starts, and strikes it again if it does not. */
export function register(name: string, registered: Registered): Promise<SessionManager<Data>> {
  const here = managersHere();
  here.set(name, registered);
  registered.manager.catch(() => forget(name, registered.manager));
  return registered.manager;
}

export function forget(name: string, manager: Promise<SessionManager<Data>> | undefined): void {
  const here = managersHere();
  if (here.get(name)?.manager === manager) here.delete(name);
}
