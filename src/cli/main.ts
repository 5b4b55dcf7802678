#!/usr/bin/env node
/** The command `coatcheck`. Exit status: 0 for success, 1 for a failure reported on stderr, 2 for wrong usage. */

import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { demoCommand } from './demo/command.js';
import { parseTimeout } from './durations.js';
import { codeOf, tell } from './failure.js';
import { policyCommand, policyNames } from './policy-command.js';
import { replayCommand } from './replay-command.js';

// The reader of a pipe may close it early, as `| head` does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (codeOf(error) === 'EPIPE') process.exit();
    throw error;
  });
}

const program = new Command('coatcheck')
  .description(
    'The session manager for multi-threaded Node applications: one thread owns the sessions, every thread reads them.',
  )
  .version(version())
  .showHelpAfterError('(try --help)')
  .exitOverride();

program
  .command('replay')
  .summary('say what session settings would mean for a site, from its access log')
  .description(
    `Drives a real session manager by an access log, at the log's own times, and says what these session settings would mean for the site: how many sessions would be opened, how many would be alive at once, and how they would end.

A client is a pair of address and user agent. Each request looks its client's session up, and opens a new one where there is none or it has ended.`,
  )
  .argument('<file>', "access log in common or combined format, plain or gzip; '-' reads standard input")
  .addOption(timeoutOption('--idle <duration>', 'end a session not seen for this long', '30m'))
  .addOption(timeoutOption('--absolute <duration>', 'end a session of this age, however busy', '8h'))
  .option('--json', 'print one JSON object instead of a table and a chart')
  .addHelpText(
    'after',
    `
Examples:
  $ coatcheck replay access.log
  $ coatcheck replay access.log.2.gz --idle 2h --absolute never
  $ zcat access.log.*.gz | coatcheck replay - --json`,
  )
  .action(replayCommand);

program
  .command('demo')
  .summary('serve a small multi-threaded site with logins, to try in a browser')
  .description(
    `Serves a small site on 127.0.0.1 whose sessions are shared by threads: the main thread answers HTTP, logs in and out, lists devices and holds WebSockets, a Piscina pool renders pages, and each pool thread looks the session up by itself. Nothing is kept, and any user name will do. Ctrl-C ends it.`,
  )
  .option('--port <number>', 'port to listen at; 0 takes a free one', parsePort, 3000)
  .action(demoCommand);

program
  .command('policy')
  .summary('say what a security standard asks of sessions, and how it is met')
  .description(
    `Says what a policy of startSessionManager stands for: each requirement of its standard that sessions have to do with, whether the library, its options or the application meets it and how, and which test shows it.`,
  )
  .addArgument(new Argument('<name>', 'the policy').choices(policyNames))
  .option('--json', 'print one JSON object instead of a table')
  .addHelpText(
    'after',
    `
Examples:
  $ coatcheck policy asvs-l2
  $ coatcheck policy nist-aal2 --json`,
  )
  .action(policyCommand);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`coatcheck: ${tell(error)}\n`);
    process.exitCode = 1;
  }
}

function timeoutOption(flags: string, meaning: string, usual: string): Option {
  return new Option(flags, `${meaning}: '90s', '30m', '8h', '14d' or 'never'`)
    .argParser(parseTimeout)
    .default(parseTimeout(usual), usual);
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  return port;
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
