import { defineConfig } from 'vitest/config';

// Two projects. `quick` is what a change needs, in a few minutes: `npm test`. `faults` is the rest, `npm run
// test:faults`: managers that die at every step, random schedules, campaigns, memory that must not grow. A test that
// takes longer than some seconds goes there, in a file `<name>.faults.test.ts` beside `<name>.test.ts` with the quick
// ones. `npx vitest run test/some.test.ts` runs a file of either, and `npx vitest run` all.
const faults = ['test/**/*.faults.test.ts'];
/** Long as well, if not about faults. */
const long = [
  'test/cli/browser.test.ts',
  'test/cli/cli.test.ts',
  'test/http/formats.test.ts',
  'test/package/resident-memory.test.ts',
];

// The tests run what ships: the build in dist/, loaded by Node itself, so that a test and the manager's thread share
// one copy of it.
export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: [...faults, ...long] } },
      { extends: true, test: { name: 'faults', include: [...faults, ...long] } },
    ],
    pool: 'forks',
    // Printed as it comes, so that it can be looked at.
    disableConsoleIntercept: true,
    setupFiles: ['test/support/token-scanner.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/dist/] } },
  },
});
