import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests of pages in Chromium, whose program MILLRACE_TEST_CHROMIUM names: npm run test:long -- page. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    pool: 'forks',
    globalSetup: './scripts/compiled-for-tests.js',
    maxWorkers: 1,
    reporters: ['default', './scripts/closing-line.js'],
    include: ['{cluster,test/page}/**/*.accept.ts'],
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
