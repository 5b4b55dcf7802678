/** Checking data by the application's own schema (Standard Schema 1), before it is sent. Runs in the threads that write. */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SessionError } from './protocol/errors.js';
import type { Patch } from './types.js';

type Data = Record<string, unknown>;

/** The schema's output for this data. Its messages are left out of the error, as they may quote what they are about; and so is what it throws. */
export async function checkData(schema: StandardSchemaV1, data: unknown): Promise<unknown> {
  let paths: string[];
  try {
    const result = await schema['~standard'].validate(data);
    if (result.issues === undefined) return result.value;
    paths = result.issues.map((issue) => {
      const keys = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
      return `\`${['data', ...keys].join('.')}\``;
    });
  } catch {
    throw new SessionError('ERR_INVALID_DATA', 'The schema could not check the data: it threw');
  }
  throw new SessionError('ERR_INVALID_DATA', `Expected ${[...new Set(paths)].join(', ')} to fit the schema`);
}

/** The patch with the schema's output for its keys: checked is what the data would be after it. */
export async function checkPatch(
  schema: StandardSchemaV1,
  patch: Patch<Data>,
  current: () => Readonly<Data>,
): Promise<Patch<Data>> {
  if (typeof patch !== 'object' || patch === null) return patch;
  const changed = copyOf(patch);
  const whole: Data = { ...current(), ...changed };
  for (const key of Object.keys(changed)) if (whole[key] === undefined) delete whole[key];
  const checked = await checkData(schema, whole);
  if (typeof checked !== 'object' || checked === null) return checked as Patch<Data>;
  return Object.fromEntries(Object.keys(changed).map((key) => [key, (checked as Data)[key]]));
}

function copyOf(patch: Patch<Data>): Patch<Data> {
  try {
    return { ...patch };
  } catch {
    throw new SessionError(
      'ERR_INVALID_DATA',
      'Expected `data` to be data that can be stored, got something that cannot be read',
    );
  }
}
