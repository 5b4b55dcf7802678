import { defineConfig } from 'vitest/config';

// The tests run what ships: the build in dist/, loaded by Node itself, so that a test and the manager's thread share one copy of it.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Printed as it comes, so that it can be looked at.
    disableConsoleIntercept: true,
    setupFiles: ['test/support/token-scanner.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/dist/] } },
  },
});
