import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { MillraceError } from '../errors.ts';
import { jobConfigSchema, type JobConfigInput } from './job.ts';
import { loadJobConfig, parseJobConfig } from './load.ts';
import { keysOf, schemaAt } from './schema-walk.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  writeFileSync(join(folder, 'flow.ts'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const all = { requiredKeys: [] as [] };
const double = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true }).map((x) => x + 0);
const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** Any subset of a valid job. */
const jobs: fc.Arbitrary<JobConfigInput> = fc.record(
  {
    name: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,39}$/),
    flow: fc.constant('flow.ts'),
    source: fc.dictionary(
      fc.string(),
      fc.json().map((text) => JSON.parse(JSON.stringify(JSON.parse(text))) as never),
    ),
    seed: integer(0, 0xffffffff),
    split: fc.record({ heldOut: double(0.01, 0.9), test: double(0, 0.9) }, all),
    policy: fc.record(
      {
        buckets: integer(16, 4096),
        embed: integer(1, 64),
        encoder: fc.constantFrom('bag' as const, 'gru' as const, 'transformer' as const),
        width: integer(1, 512).map((n) => n * 4),
        maxLength: integer(1, 4096),
      },
      all,
    ),
    rollout: fc.record({ groupSize: integer(2, 1024), temperature: double(0.01, 10), maxStaleness: integer(0, 64) }, all),
    algorithm: fc.record(
      {
        std: fc.constantFrom('sample' as const, 'population' as const, 'none' as const),
        epsilon: double(0, 1),
      },
      all,
    ),
    optimizer: fc.record({ learningRate: double(0, 10), beta1: double(0, 0.9999), maxGradientNorm: double(0, 1e6) }, all),
    rounds: integer(1, 10_000_000),
    evaluation: fc.record({ every: integer(0, 1_000_000), baselines: fc.boolean() }, all),
  },
  { requiredKeys: ['name', 'flow'] },
);

function write(job: unknown): string {
  const file = join(folder, 'job.yaml');
  writeFileSync(file, stringify(job));
  return file;
}

function failure(run: () => unknown): MillraceError {
  try {
    run();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

describe('job configuration', () => {
  it('survives a round trip through YAML, and through JSON', () => {
    fc.assert(
      fc.property(jobs, (job) => {
        const expected = jobConfigSchema.parse(job);
        const { config } = loadJobConfig(write(job));
        expect(config).toEqual({ ...expected, flow: join(folder, 'flow.ts') });
        expect(parseJobConfig(JSON.stringify(config))).toEqual(config);
      }),
      { numRuns: 150 },
    );
  });

  it('says for every value of the result where it is from', () => {
    fc.assert(
      fc.property(jobs, (job) => {
        const { sources } = loadJobConfig(write(job));
        for (const [path, source] of Object.entries(sources)) {
          if (path.startsWith('source')) continue;
          expect(source).toBe(valueAt(job, path.split('.')) === undefined ? 'default' : 'file');
        }
        expect(Object.keys(sources)).toEqual(expect.arrayContaining(['seed', 'policy.embed', 'checkpoint.keep']));
      }),
      { numRuns: 50 },
    );
  });

  it('names any unknown key, wherever it stands', () => {
    const keysAt = (path: readonly string[]): string[] => keysOf(schemaAt(jobConfigSchema, path) ?? jobConfigSchema) ?? [];
    const sections = [[], ...keysAt([]).map((key) => [key])].filter((path) => keysAt(path).length > 0);
    fc.assert(
      fc.property(jobs, fc.constantFrom(...sections), fc.string({ minLength: 1, maxLength: 20 }), (job, path, key) => {
        fc.pre(!keysAt(path).includes(key));
        const wrong = structuredClone(job) as Record<string, unknown>;
        const section = path.reduce<Record<string, unknown>>((at, name) => (at[name] ??= {}) as Record<string, unknown>, wrong);
        Object.defineProperty(section, key, { value: 1, enumerable: true });
        const error = failure(() => loadJobConfig(write(wrong)));
        expect(error.code).toBe('invalid_argument');
        expect(error.message).toContain(`unknown key ${JSON.stringify([...path, key].join('.'))}`);
        expect(error.message).toMatch(/Keys (there|of [a-z.]+): /i);
        expect(error.message).toMatch(/job\.yaml:\d+: /);
      }),
      { numRuns: 150 },
    );
  });

  it('never throws anything but a MillraceError, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => stringify(value)),
        ),
        (text) => {
          const file = join(folder, 'any.yaml');
          writeFileSync(file, text);
          expect(failure(() => loadJobConfig(file)).message).not.toBe('');
          expect(failure(() => parseJobConfig(text)).message).not.toBe('');
        },
      ),
      { numRuns: 300 },
    );
  });
});

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
}
