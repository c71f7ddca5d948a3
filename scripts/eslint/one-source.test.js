import { ESLint, Linter, RuleTester } from 'eslint';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { oneSource, REAL } from './one-source.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

RuleTester.describe = describe;
RuleTester.it = it;

const source = (code) => ({ code, errors: [{ messageId: 'source' }] });
const list = (code) => ({ code, errors: [{ messageId: 'list' }] });

new RuleTester().run('one-source', oneSource, {
  valid: [
    'const at = clock.now() - clock.monotonic()',
    'new Date(at).toISOString()',
    'Date.parse(text)',
    'random.uniform() * Math.floor(x)',
    "import { createHash } from 'node:crypto'",
    "import { seededRandom } from '../random/seeded.ts'",
    'const { setTimeout } = timers(clock); setTimeout(f, 5)',
    'function f(setTimeout) { setTimeout(g) }',
    'clock.setTimeout(f)',
    'queueMicrotask(f)',
    '(await readdir(folder)).sort()',
    'readdirSync(folder).filter(isFile).sort()',
    '(await readdir(folder).catch(() => [])).sort().map(read)',
    'const full = (await readdir(folder)).length > 0',
    '(await context.outside(readdir(folder).catch(() => []))).filter(isVersion).sort()',
    'files.list(folder)',
  ],
  invalid: [
    source('const at = Date.now()'),
    source('const age = globalThis.Date.now() - at'),
    source('const now = new Date()'),
    source('const text = Date()'),
    source('const from = performance.now()'),
    source('const uniform = Math.random'),
    source('const id = crypto.randomUUID()'),
    source("import { randomUUID } from 'node:crypto'"),
    source("import { createHash, randomBytes as bytes } from 'crypto'"),
    source('setTimeout(f, 5)'),
    source('const wait = promisify(setTimeout)'),
    source('setInterval(f, 5)'),
    source('setImmediate(f)'),
    source('process.nextTick(f)'),
    source('process.hrtime.bigint()'),
    source('fetch(url, { signal: AbortSignal.timeout(5) })'),
    source("import { setTimeout as sleep } from 'node:timers/promises'"),
    source("import timers from 'timers'"),
    source("import { systemClock } from '../clock/system.ts'"),
    source("import { seededRandom, systemRandom } from '../../src/random/seeded.ts'"),
    list('for (const name of await readdir(folder)) read(name)'),
    list('readdirSync(folder).map(read)'),
    list('fs.readdir(folder).catch(() => [])'),
    list('const names = await readdir(folder); names.sort()'),
  ],
});

describe('the files that may use the real sources', () => {
  /** Sources of a folder or file, but for tests. */
  const sourcesOf = (path) => {
    if (!statSync(join(root, path)).isDirectory()) return [path];
    const names = readdirSync(join(root, path), { recursive: true }).map((name) => `${path}/${name}`);
    return names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  };
  const problems = (file) =>
    new Linter().verify(
      readFileSync(join(root, file), 'utf8'),
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser },
        linterOptions: { reportUnusedDisableDirectives: 'off' },
        plugins: { own: { rules: { source: oneSource } } },
        rules: { 'own/source': 'error' },
      },
      { filename: file },
    );

  it.each(REAL)('$path does, or it must be taken from the list', ({ path }) => {
    expect(
      sourcesOf(path)
        .flatMap(problems)
        .map(({ ruleId }) => ruleId),
    ).toContain('own/source');
  });

  it('are left alone, and all others of src and cluster are not', async () => {
    const eslint = new ESLint({ cwd: root });
    const severity = async (file) =>
      (await eslint.calculateConfigForFile(`${root}/${file}`)).rules['millrace/one-source']?.[0] ?? 0;
    for (const { path } of REAL) expect([path, await severity(sourcesOf(path)[0])]).toEqual([path, 0]);
    for (const file of [
      'src/jobs/record.ts',
      'cluster/coordinator/turn.ts',
      'cluster/serial/index.ts',
      'src/bus/memory/server.ts',
    ])
      expect([file, await severity(file)]).toEqual([file, 2]);
    for (const file of ['src/jobs/round.test.ts', 'bench/bench.ts', 'src/clock/conformance.ts'])
      expect([file, await severity(file)]).toEqual([file, 0]);
  });
});
