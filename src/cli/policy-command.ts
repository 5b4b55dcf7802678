/**
 * `coatcheck policy`: prints what a policy requires, how each requirement is met, and which tests show it. Runs in the
 * main thread.
 */

import Table from 'cli-table3';
import { type Policy, type PolicyName, policies, type Requirement, type TimeoutRule } from '../index.js';

/** The policies, by the names that are typed. */
export const policyNames = Object.keys(policies);

export interface PolicyOptions {
  readonly json?: boolean;
}

/** The width of the first column, and of the table's borders, in characters. */
const NUMBER_WIDTH = 13;
const BORDERS = 5;
const LEAST_WIDTH = 80;
const MOST_WIDTH = 160;

export function policyCommand(name: string, options: PolicyOptions): void {
  const policy = policies[name as PolicyName];
  if (options.json) process.stdout.write(`${JSON.stringify({ policy: name, ...policy })}\n`);
  else process.stdout.write(report(name, policy, process.stdout.columns ?? 120));
}

function report(name: string, policy: Policy, columns: number): string {
  const { standard, requirements, idleTimeout, absoluteTimeout } = policy;
  const counts = (['library', 'option', 'application'] as const).map(
    (by) => `${requirements.filter((requirement) => requirement.by === by).length} ${inWords[by]}`,
  );
  return [
    `${name}: ${standard}, ${requirements.length} requirements that sessions have to do with: ${counts.join(', ')}.`,
    `Idle timeout: ${limit(idleTimeout)}. Absolute timeout: ${limit(absoluteTimeout)}.`,
    '',
    table(requirements, Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, columns))),
    '',
  ].join('\n');
}

const inWords = {
  library: 'met by the library',
  option: 'by options that the policy sets and enforces',
  application: 'by the application',
} as const;

function limit(rule: TimeoutRule | undefined): string {
  if (rule === undefined) return 'not limited';
  const { most, inWords: words = most, requirement } = rule;
  return `${words === undefined ? 'any, but not none' : `at most ${words}`} (${requirement})`;
}

function table(requirements: readonly Requirement[], width: number): string {
  const rest = width - NUMBER_WIDTH - BORDERS;
  const third = Math.floor(rest / 3);
  const grid = new Table({
    head: ['requirement', 'what it asks for', 'how it is met', 'where it is tested'],
    colWidths: [NUMBER_WIDTH, third, third, rest - 2 * third],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { number, level, text, by, how, tested } of requirements) {
    const tests = tested.map(({ file, test }) => `${file}: ${test}`);
    grid.push([`${number}\n${level}`, text, `${by}: ${how}`, tests.length > 0 ? tests.join('\n') : 'not here']);
  }
  return grid.toString();
}
