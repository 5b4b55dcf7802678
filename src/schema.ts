/** Checking data by the application's own schema (Standard Schema 1), before it is sent. Runs in the threads that write. */

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SessionError } from './protocol/errors.js';
import type { Patch } from './types.js';

type Data = Record<string, unknown>;

/** The schema's output for this data. Its messages are left out of the error, as they may quote what they are about. */
export async function checkData(schema: StandardSchemaV1, data: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(data);
  if (result.issues === undefined) return result.value;
  const paths = result.issues.map((issue) => {
    const keys = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
    return `\`${['data', ...keys].join('.')}\``;
  });
  throw new SessionError('ERR_INVALID_DATA', `Expected ${[...new Set(paths)].join(', ')} to fit the schema`);
}

/** The patch with the schema's output for its keys: checked is what the data would be after it. */
export async function checkPatch(
  schema: StandardSchemaV1,
  patch: Patch<Data>,
  current: () => Readonly<Data>,
): Promise<Patch<Data>> {
  if (typeof patch !== 'object' || patch === null) return patch;
  const whole: Data = { ...current(), ...patch };
  for (const key of Object.keys(patch)) if (whole[key] === undefined) delete whole[key];
  const checked = (await checkData(schema, whole)) as Data;
  return Object.fromEntries(Object.keys(patch).map((key) => [key, checked[key]]));
}
