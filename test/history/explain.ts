/**
 * Says in words why there is no order for a session's operations: the shortest beginning that has none, and what lies
 * around its end.
 */

import type { Prefix } from './check.js';
import { type Operation, provenTokens, type TextPatch, type Texts } from './operations.js';
import type { SessionState } from './session-model.js';

/** Operations shown before the last. */
const SHOWN = 12;
const MOST_TEXT = 60;

export function explain(session: string, all: readonly Operation[], { operations, last, before }: Prefix): string {
  const names = nameTokens(all);
  const until = last.return;
  const prefix = operations.map(({ operation }) => operation);
  const answered = prefix.filter((operation) => operation.return <= until).sort((a, b) => a.return - b.return);
  const pending = prefix.filter((operation) => operation.return > until);
  const shown = answered.slice(-SHOWN - 1);
  const origin = Math.min(...shown.map(({ call }) => call));
  const line = (operation: Operation): string => `  ${timesOf(operation, origin, until)} ${lineOf(operation, names)}`;
  const lines = [
    `Session ${session}: no order explains its first ${answered.length} answers (of ${all.length} operations). What was answered last does not fit:`,
    line(last),
    `Answered before it${answered.length > shown.length ? `, the last ${shown.length - 1} of ${answered.length - 1}` : ''}:`,
    ...shown.filter((operation) => operation !== last).map(line),
  ];
  if (pending.length > 0) lines.push('Under way then:', ...pending.slice(-SHOWN).map(line));
  if (before.length > 0)
    lines.push('Before it, the session may have been:', ...before.map((state) => `  ${sayState(state, names)}`));
  return lines.join('\n');
}

/** Tokens as 'token 1', 'token 2', in the order in which they are met. */
function nameTokens(operations: readonly Operation[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const operation of [...operations].sort((a, b) => a.call - b.call)) {
    const mentioned = operation.do === 'find' ? [operation.token] : provenTokens(operation);
    for (const token of mentioned) {
      if (token !== undefined && !names.has(token)) names.set(token, `token ${names.size + 1}`);
    }
  }
  return names;
}

const microseconds = (nanoseconds: number): string => (nanoseconds / 1000).toFixed(1);

/** From call to return, in microseconds since the first that is shown. */
function timesOf(operation: Operation, origin: number, until: number): string {
  const end = operation.return > until ? '…' : microseconds(operation.return - origin);
  return `[${microseconds(operation.call - origin)} – ${end} µs]`;
}

function lineOf(operation: Operation, names: Map<string, string>): string {
  const token = (name: string | undefined): string =>
    name === undefined ? 'an unseen token' : (names.get(name) ?? 'a token');
  return `${operation.thread}: ${said(operation, token)}${outcomeOf(operation)}`;
}

function outcomeOf({ outcome }: Operation): string {
  if (outcome === 'done') return '';
  return outcome === 'unknown' ? ': unknown whether it took effect' : `: refused, ${outcome}`;
}

function said(operation: Operation, token: (name: string | undefined) => string): string {
  const isDone = operation.outcome === 'done';
  switch (operation.do) {
    case 'new':
      return `newSession ${show(operation.data)}${ofUser(operation.user)}, under ${token(operation.token)}`;
    case 'find': {
      const by = operation.token === undefined ? 'its id' : token(operation.token);
      return `lookup by ${by}: ${operation.found ? 'found' : 'a miss'}`;
    }
    case 'read':
      return isDone ? `read version ${operation.version}, ${show(operation.data)}${ofUser(operation.user)}` : 'read';
    case 'hold':
      return `was told that its token is ${token(operation.token)}`;
    case 'set':
      return `set ${show(operation.patch)}`;
    case 'replace':
      return `replace by ${show(operation.data)}${operation.ifVersion === undefined ? '' : ` if version ${operation.ifVersion}`}`;
    case 'take':
      return `take ${operation.key}${isDone ? `: ${cut(operation.value ?? 'nothing')}` : ''}`;
    case 'login':
      return `login of ${operation.user} ${show(operation.patch)}${isDone ? `, then held ${token(operation.token)}` : ''}`;
    case 'rotate':
      return `rotate ${token(operation.from)}, grace ${operation.grace / 1e6} ms${isDone ? `, then held ${token(operation.token)}` : ''}`;
    case 'close':
      return 'close';
    case 'closeAll':
      return `closeAllSessions${ofUser(operation.user)}${operation.except === undefined ? '' : ` except ${operation.except}`}`;
  }
}

const ofUser = (user: string | undefined): string => (user === undefined ? '' : ` of ${user}`);

const cut = (text: string): string => (text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`);

function show(data: Texts | TextPatch): string {
  const entries = Object.entries(data).map(([key, text]) => `${key}: ${cut(text ?? 'removed')}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function sayState({ life, version, data, user, current, previous }: SessionState, names: Map<string, string>): string {
  if (life !== 'live') return life;
  const held = names.get(current) ?? 'an unseen token';
  const grace =
    previous === undefined ? '' : `, ${names.get(previous.token)} ${previous.over ? 'past' : 'in'} its grace`;
  return `live, version ${version}, ${show(data)}${ofUser(user)}, under ${held}${grace}`;
}
