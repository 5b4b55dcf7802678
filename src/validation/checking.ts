/** Reads objects of options, and refuses wrong ones in one form. Used in every thread of the host. */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { isPlainObject } from '../protocol/data/kinds.js';
import { expected, SessionError } from '../protocol/errors.js';
import { acceptedDuration, type DurationLimits, durationRefusal } from './durations.js';

/**
 * The options of a plain object. Each is read once, so that what was checked is what is used. Only own keys count: a
 * polluted prototype sets no option. Refuses unknown names, getters and proxies that throw, arrays and class instances.
 * `where` is the path of the object, '' at the top; `what` is the name of the object in an error.
 */
export function readOptions<const N extends string>(
  where: string,
  value: unknown,
  names: readonly N[],
  what = path(where, ''),
): { readonly [K in N]?: unknown } {
  let keys: readonly PropertyKey[];
  try {
    if (!isPlainObject(value)) throw expected(what, 'a plain object', value);
    keys = Reflect.ownKeys(value);
  } catch (error) {
    throw error instanceof SessionError ? error : unreadable(what);
  }
  const read: { [K in N]?: unknown } = Object.create(null);
  for (const key of keys) {
    const name = names.find((known) => known === key);
    if (name === undefined) throw unknownOption(where, key, names);
    try {
      read[name] = Reflect.get(value, name);
    } catch {
      throw unreadable(path(where, name));
    }
  }
  return read;
}

/**
 * As `readOptions`, with a valibot schema for each option. A schema's message says what was expected. An undefined
 * value counts as absent. `v.strictObject` is not used: it reads inherited properties, and could not tell which
 * property threw.
 */
export function checkOptions<const E extends Readonly<Record<string, v.GenericSchema>>>(
  where: string,
  value: unknown,
  schemas: E,
): { readonly [K in keyof E]: v.InferOutput<E[K]> } {
  const read = readOptions(where, value, Object.keys(schemas));
  const checked = Object.entries(schemas).map(([name, schema]) => [
    name,
    checkOption(path(where, name), read[name], schema),
  ]);
  return Object.fromEntries(checked);
}

function checkOption(what: string, value: unknown, schema: v.GenericSchema): unknown {
  let result: v.SafeParseResult<v.GenericSchema>;
  try {
    result = v.safeParse(schema, value, { abortEarly: true });
  } catch {
    throw unreadable(what);
  }
  if (result.success) return result.output;
  throw expected(what, result.issues[0].message, value);
}

/** A duration within limits, in milliseconds; Infinity for `false`. */
export function durationOption(limits: DurationLimits) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const refusal = durationRefusal(dataset.value, limits);
      if (refusal === undefined) return acceptedDuration(dataset.value);
      addIssue({ message: refusal });
      return NEVER;
    }),
  );
}

/** One of several texts. */
export function choiceOption<const C extends readonly string[]>(...choices: C) {
  return v.picklist(choices, choices.map((choice) => `'${choice}'`).join(' or '));
}

/** An option that a later version will have. It is refused instead of being accepted and ignored. */
export function futureOption() {
  return v.optional(v.never('left out (it is not supported yet by this version)'));
}

/** A Standard Schema, recognised by its form. */
export function schemaOption() {
  return v.custom<StandardSchemaV1>(isStandardSchema, 'a Standard Schema of version 1');
}

function isStandardSchema(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard: unknown = Reflect.get(value, '~standard');
  if (typeof standard !== 'object' || standard === null) return false;
  return Reflect.get(standard, 'version') === 1 && typeof Reflect.get(standard, 'validate') === 'function';
}

/** The error for a value that must not be shown: a key, or what may hold a password. */
export function expectedUnseen(what: string, tobe: string, description: string): SessionError {
  return new SessionError('ERR_INVALID_OPTION', `Expected \`${what}\` to be ${tobe}, got ${description}`);
}

/** The error for an unknown option. */
export function unknownOption(where: string, key: PropertyKey, names: readonly string[]): SessionError {
  const near = nearest(String(key), names);
  const hint = near === undefined ? '' : `, did you mean \`${path(where, near)}\`?`;
  const prefix = where === '' ? '' : `${where}.`;
  return new SessionError('ERR_INVALID_OPTION', `Unknown option \`${prefix}${printable(String(key))}\`${hint}`);
}

/** The error for a property that throws when it is read. What it throws is not shown, as it may quote a key. */
export function unreadable(what: string): SessionError {
  return expectedUnseen(what, 'readable', 'an error from its getter or proxy');
}

function path(where: string, key: string): string {
  if (where === '') return key === '' ? 'options' : key;
  return key === '' ? where : `${where}.${key}`;
}

/** A name as an error may show it: cut, and without control characters. */
function printable(key: string): string {
  const text = JSON.stringify(key.slice(0, 40)).slice(1, -1);
  return key.length <= 40 ? text : `${text}…`;
}

/** The option that a misspelt name most likely means: at most two edits away, ignoring case. */
function nearest(key: string, names: readonly string[]): string | undefined {
  if (key.length > 40) return undefined;
  let best: string | undefined;
  let least = 3;
  for (const name of names) {
    const edits = distance(key.toLowerCase(), name.toLowerCase());
    if (edits < least && edits < name.length - 1) {
      best = name;
      least = edits;
    }
  }
  return best;
}

/** The Levenshtein distance: how many characters to add, remove or replace. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
