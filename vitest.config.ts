import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import LongFirst from './scripts/long-first.ts';

// The embedded ClickHouse engine must not run in worker threads, so every file gets a process of its own.
const pool = 'forks';

/**
 * Folders of src/ whose modules start no process and keep no engine, no tensors and no state between calls. Their test files share two
 * processes, which load what they have in common once; loading took longer than most of these tests.
 */
const PURE =
  'actor|algo|budget|clock|config|explore|files|flow|identity|jobs|protocol|random|records|reward|tasks|tensor-files|tune';
/** The exceptions: they open the embedded ClickHouse engine, of which a process has one, or start tensorflow.js. */
const NOT_PURE = ['src/flow/{agent/stored,group-generated}.test.ts', 'bench/{compute,memory,query-speed,train}/**/*.test.ts'];

// As tsconfig.json: the package's own exports are what npm run build makes.
const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const resolve = {
  alias: [
    { find: /^millrace$/, replacement: source('src/index.ts') },
    { find: /^millrace\/math$/, replacement: source('src/math.ts') },
    { find: /^millrace\/client$/, replacement: source('src/client/index.ts') },
    { find: /^millrace\/conformance$/, replacement: source('src/conformance.ts') },
  ],
};

// Starting a node from compiled modules takes a quarter of the processor time.
const globalSetup = './scripts/compiled-for-tests.js';

// What a test waits for comes soon or, on a busy machine, later; a second is not long.
const poll = { timeout: 15_000 };

export default defineConfig({
  test: {
    // Two, however many cores there are: tests start servers, and the timings of some mean something.
    maxWorkers: 2,
    teardownTimeout: 60_000,
    sequence: { sequencer: LongFirst },
    reporters: ['default', './scripts/closing-line.js'],
    // npm run coverage: what unit tests and serial mode run in their own process. What runs elsewhere is left out: in processes that are
    // started, and in browsers.
    coverage: {
      provider: 'v8',
      reportOnFailure: true,
      reporter: ['text-summary', 'json-summary', 'html'],
      include: ['{src,cluster}/**/*.ts'],
      exclude: [
        'src/gen/**',
        '**/*.test.ts',
        '**/testing*.ts',
        '**/*.fixture.ts',
        '**/*main.ts',
        '**/upstream-tests/**',
        '**/viewer/page/**',
      ],
      thresholds: { lines: 90, branches: 85 },
    },
    projects: [
      {
        resolve,
        test: {
          name: 'pure',
          pool,
          isolate: false,
          globalSetup,
          include: [`src/@(${PURE})/**/*.test.ts`, '{examples,bench,web}/**/*.test.{ts,tsx}'],
          exclude: NOT_PURE,
          expect: { poll },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        resolve,
        test: {
          name: 'unit',
          pool,
          globalSetup,
          include: [
            `src/!(${PURE})/**/*.test.ts`,
            'src/*.test.ts',
            '{cluster,docs,scripts,deploy,test/simulation}/**/*.test.{ts,js}',
            ...NOT_PURE,
          ],
          expect: { poll },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        resolve,
        test: {
          // Whole clusters, most of them of real processes, after the unit tests. They wait a lot: for one alone two cores are too many.
          name: 'cluster',
          pool,
          globalSetup,
          include: ['test/**/*.test.ts'],
          exclude: ['test/simulation/**'],
          sequence: { groupOrder: 1 },
          expect: { poll },
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
