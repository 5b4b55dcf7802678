/**
 * The options of `startSessionManager`, checked and completed before any thread is started. Runs in the thread that
 * starts a manager.
 */

import type { ResourceLimits } from 'node:worker_threads';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { validate as isCron } from 'node-cron';
import * as v from 'valibot';
import { type ResolvedCookieOptions, resolveCookieOptions } from '../cookies/options.js';
import { expected } from '../protocol/errors.js';
import type { ManualClock, PolicyName } from '../types/types.js';
import {
  checkOptions,
  choiceOption,
  durationOption,
  expectedUnseen,
  futureOption,
  schemaOption,
} from '../validation/checking.js';
import { defaults } from '../validation/defaults.js';
import { callLimits, checkDuration, type DurationLimits, rotationLimits } from '../validation/durations.js';
import {
  checkCookieUnder,
  defaultTimeoutsUnder,
  isPersistentUnder,
  POLICY_NAMES,
  timeoutLimitsUnder,
} from './policy.js';

/** When tokens are rotated while a session is in use, in milliseconds. */
export interface Rotation {
  readonly every: number;
  readonly grace: number;
}

/**
 * The complete options. Durations are milliseconds, Infinity for never. Everything can be cloned except `schema`,
 * `worker` and `clock`.
 */
export interface ResolvedOptions {
  readonly name: string;
  readonly policy: PolicyName | undefined;
  readonly idleTimeout: number;
  readonly absoluteTimeout: number;
  readonly maxSessions: number;
  readonly maxBytes: number;
  /** Never more than `maxBytes`. */
  readonly maxSessionBytes: number;
  readonly whenFull: 'reject' | 'end-longest-idle';
  /** Infinity: no limit. */
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  /** Undefined: tokens are replaced on `login` and `rotate` only. */
  readonly rotation: Rotation | undefined;
  readonly whenReused: 'report' | 'end-session';
  readonly cookie: ResolvedCookieOptions;
  /** A cron expression that node-cron takes. */
  readonly sweep: string;
  readonly callTimeout: number;
  readonly restarts: { readonly most: number; readonly within: number };
  readonly resourceLimits: ResourceLimits;
  readonly schema: StandardSchemaV1 | undefined;
  readonly worker: URL | undefined;
  readonly clock: ManualClock | undefined;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const nameForm = 'a text of 1 to 64 characters';
const limitForm = 'a positive integer or Infinity';

// Beyond these limits V8 ends the process instead of the thread, as tried with stacks of 100 KiB and code ranges of a
// petabyte.
const limitSchemas = {
  maxYoungGenerationSizeMb: v.optional(megabytes(1, 1_048_576), defaults.resourceLimits.maxYoungGenerationSizeMb),
  maxOldGenerationSizeMb: v.optional(megabytes(1, 1_048_576)),
  codeRangeSizeMb: v.optional(megabytes(1, 512)),
  stackSizeMb: v.optional(megabytes(1, 256)),
};

const restartSchemas = {
  most: integer(0, 1_000_000),
  within: durationOption(callLimits),
};

const rotationSchemas = {
  every: durationOption(rotationLimits),
  grace: v.optional(durationOption(rotationLimits), defaults.rotationGrace),
};

const optionSchemas = {
  name: v.optional(v.pipe(v.string(nameForm), v.minLength(1, nameForm), v.maxLength(64, nameForm)), defaults.name),
  policy: v.optional(choiceOption(...POLICY_NAMES)),
  // Checked later, when the policy is known.
  idleTimeout: v.optional(v.unknown()),
  absoluteTimeout: v.optional(v.unknown()),
  maxSessions: v.optional(integer(1, 16_000_000), defaults.maxSessions),
  maxBytes: v.optional(integer(KiB, 64 * GiB), defaults.maxBytes),
  maxSessionBytes: v.optional(integer(1, 16 * MiB)),
  whenFull: v.optional(choiceOption('reject', 'end-longest-idle'), defaults.whenFull),
  maxSessionsPerUser: v.optional(
    v.pipe(
      v.number(limitForm),
      v.check((limit) => limit === Infinity || isWithin(limit, 1, Infinity), limitForm),
    ),
    defaults.maxSessionsPerUser,
  ),
  whenOverLimit: v.optional(choiceOption('reject', 'end-oldest'), defaults.whenOverLimit),
  cookie: v.optional(v.unknown()),
  sweep: v.optional(v.custom<string>(isSweep, 'a cron expression of 5 or 6 fields'), defaults.sweep),
  callTimeout: v.optional(durationOption(callLimits), defaults.callTimeout),
  resourceLimits: v.optional(v.unknown()),
  schema: v.optional(schemaOption()),
  worker: v.optional(v.custom<URL>(isFileUrl, 'a URL of the protocol file:')),
  clock: v.optional(v.unknown()),
  store: v.optional(v.unknown(), 'memory'),
  hooks: futureOption(),
  rotation: v.optional(v.unknown()),
  whenReused: v.optional(choiceOption('report', 'end-session'), defaults.whenReused),
  restarts: v.optional(v.unknown()),
};

/**
 * Checks and completes all options. Throws ERR_INVALID_OPTION, which names the option. An option that is present but
 * undefined counts as absent. `isManualClock` recognises clocks made by `createManualClock`: no other thread could read
 * a lookalike.
 */
export function resolveOptions(options: unknown, isManualClock: (value: unknown) => boolean): ResolvedOptions {
  const checked = checkOptions('', options === undefined ? {} : options, optionSchemas);
  const { policy, cookie, resourceLimits, restarts, rotation, store, clock, worker, maxBytes } = checked;

  // The URL of a store may hold a password, so the value is described instead of shown.
  if (store !== 'memory')
    throw expectedUnseen('store', "'memory' (no other is supported yet by this version)", `another ${typeof store}`);
  if (clock !== undefined && !isClock(clock, isManualClock))
    throw expected('clock', 'a clock made by createManualClock', clock);

  const maxSessionBytes = checked.maxSessionBytes ?? Math.min(defaults.maxSessionBytes, maxBytes);
  if (maxSessionBytes > maxBytes)
    throw expected('maxSessionBytes', `no more than \`maxBytes\`, which is ${maxBytes}`, maxSessionBytes);

  return {
    name: checked.name,
    policy,
    ...resolveTimeouts(checked, policy),
    maxSessions: checked.maxSessions,
    maxBytes,
    maxSessionBytes,
    whenFull: checked.whenFull,
    maxSessionsPerUser: checked.maxSessionsPerUser,
    whenOverLimit: checked.whenOverLimit,
    rotation: rotation === undefined ? undefined : resolveRotation(rotation),
    whenReused: checked.whenReused,
    cookie: resolveCookie(cookie, policy),
    sweep: checked.sweep,
    callTimeout: checked.callTimeout,
    restarts: checkOptions('restarts', restarts === undefined ? defaults.restarts : restarts, restartSchemas),
    resourceLimits: resolveLimits(resourceLimits === undefined ? {} : resourceLimits),
    schema: checked.schema,
    worker: worker === undefined ? undefined : new URL(worker.href),
    clock: clock as ManualClock | undefined,
  };
}

function resolveRotation(rotation: unknown): Rotation {
  const { every, grace } = checkOptions('rotation', rotation, rotationSchemas);
  // Rotating a token while the one before it is still honoured would end the grace of that one early.
  if (grace > every) throw expected('rotation.grace', `no longer than \`rotation.every\`, which is ${every} ms`, grace);
  return { every, grace };
}

function resolveTimeouts(
  { idleTimeout, absoluteTimeout }: { readonly idleTimeout?: unknown; readonly absoluteTimeout?: unknown },
  policy: PolicyName | undefined,
): { idleTimeout: number; absoluteTimeout: number } {
  const limits = timeoutLimitsUnder(policy);
  const usual = defaultTimeoutsUnder(policy);
  const checked = (what: string, value: unknown, within: DurationLimits, otherwise: number) =>
    value === undefined ? otherwise : checkDuration(what, value, within);
  return {
    idleTimeout: checked('idleTimeout', idleTimeout, limits.idle, usual.idle),
    absoluteTimeout: checked('absoluteTimeout', absoluteTimeout, limits.absolute, usual.absolute),
  };
}

function resolveCookie(cookie: unknown, policy: PolicyName | undefined): ResolvedCookieOptions {
  const resolved = resolveCookieOptions(cookie, isPersistentUnder(policy));
  checkCookieUnder(policy, resolved);
  return resolved;
}

function resolveLimits(resourceLimits: unknown): ResourceLimits {
  const checked = checkOptions('resourceLimits', resourceLimits, limitSchemas);
  return Object.fromEntries(Object.entries(checked).filter(([, megabytes]) => megabytes !== undefined));
}

function integer(least: number, most: number) {
  const form = `an integer from ${least} to ${most}`;
  return v.pipe(
    v.number(form),
    v.check((value) => isWithin(value, least, most), form),
  );
}

function megabytes(least: number, most: number) {
  const form = `a number of megabytes from ${least} to ${most}`;
  return v.pipe(
    v.number(form),
    v.check((value) => value >= least && value <= most, form),
  );
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/**
 * node-cron expands ranges before it checks their size: '1-2000000000 * * * *' would exhaust the memory. No field of a
 * cron expression needs three digits.
 */
function isSweep(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 100 && !/\d{3}/.test(value) && isCron(value);
}

/** A URL of any realm is recognised by its `href`. */
function isFileUrl(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { href } = value as { href?: unknown };
  return typeof href === 'string' && URL.canParse(href) && new URL(href).protocol === 'file:';
}

function isClock(value: unknown, isManualClock: (value: unknown) => boolean): boolean {
  try {
    return isManualClock(value);
  } catch {
    return false;
  }
}
