import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Clusters whose parts are on several hosts, or on several NATS servers: npm run test:long -- hosts. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    pool: 'forks',
    maxWorkers: 1,
    globalSetup: './scripts/compiled-for-tests.js',
    reporters: ['default', './scripts/closing-line.js'],
    include: ['test/hosts/**/*.accept.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
