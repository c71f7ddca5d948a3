import { describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../algo/config.ts';
import { METHODS } from '../algo/registry.ts';
import { MillraceError } from '../errors.ts';
import { jobConfigSchema } from './job.ts';
import { parseJobConfig } from './load.ts';
import { fromFlags } from './layers.ts';
import { jobJsonSchema } from './json-schema.ts';
import { childOf, keysOf, schemaAt } from './schema-walk.ts';

const job = (algorithm?: unknown, rest: Record<string, unknown> = {}) =>
  parseJobConfig({ name: 'demo', flow: 'x', ...(algorithm !== undefined && { algorithm }), ...rest });
const refusal = (algorithm: unknown, rest?: Record<string, unknown>): string => {
  try {
    job(algorithm, rest);
  } catch (error) {
    if (error instanceof MillraceError) return error.message;
    throw error;
  }
  throw new Error('expected an error');
};

describe('algorithm', () => {
  it('is GRPO where nothing else is said', () => {
    expect(job().algorithm).toEqual(DEFAULT_ALGORITHM);
    expect(job({ std: 'none' }).algorithm).toEqual({ ...DEFAULT_ALGORITHM, std: 'none' });
    expect(DEFAULT_ALGORITHM).toMatchObject({
      name: 'grpo',
      std: 'sample',
      epsilon: 1e-4,
      clipLow: 0.2,
      clipHigh: 0.2,
      entropy: 0.02,
    });
  });

  it.each(Object.keys(METHODS))('%s has defaults, and survives a round trip', (name) => {
    const { algorithm } = job({ name });
    expect(algorithm).toMatchObject({ name, entropy: name === 'sft' ? 0 : 0.02, epochs: 1, miniBatches: 1 });
    expect(job(JSON.parse(JSON.stringify(algorithm)) as object).algorithm).toEqual(algorithm);
  });

  it('has the defaults of the papers', () => {
    expect(job({ name: 'dapo' }).algorithm).toMatchObject({
      clipLow: 0.2,
      clipHigh: 0.28,
      aggregation: 'token',
      refill: { draws: 10 },
    });
    expect(job({ name: 'gspo' }).algorithm).toMatchObject({ clipLow: 3e-4, clipHigh: 4e-4 });
    expect(job({ name: 'dr-grpo' }).algorithm).toMatchObject({ aggregation: 'constant', kl: { coefficient: 0 } });
    expect(job({ name: 'gvpo' }).algorithm).toEqual({
      name: 'gvpo',
      beta: 0.1,
      entropy: 0.02,
      finalEntropy: 0.5,
      epochs: 1,
      miniBatches: 1,
    });
    expect(job({ name: 'ppo' }).algorithm).toMatchObject({ value: { coefficient: 0.5, gamma: 0.99, lambda: 0.95 } });
  });

  it.each([
    [{ name: 'gvpo', std: 'none' }, /unknown key "algorithm\.std".*gvpo has no std: its loss compares rewards/],
    [{ name: 'gvpo', clipLow: 0.2 }, /no probability ratio; grpo, .* have\)/],
    [{ name: 'gvpo', kl: { coefficient: 0.1 } }, /KL-constrained one already/],
    [{ name: 'gvpo', correction: { kind: 'mask' } }, /same whatever policy sampled/],
    [{ name: 'gvpo', positiveOnly: true }, /complete groups/],
    [{ name: 'dapo', kl: { coefficient: 0.1 } }, /unknown key "algorithm\.kl".*move away from where it began/],
    [{ name: 'dapo', aggregation: 'trajectory' }, /algorithm\.aggregation: got "trajectory", expected one of token, decision/],
    [
      { name: 'gspo', correction: { kind: 'truncate', level: 'decision' } },
      /algorithm\.correction\.level: got "decision", expected trajectory, since/,
    ],
    [{ name: 'ppo', credit: { kind: 'return-to-go' } }, /generalised advantage estimation assigns the credit/],
    [{ name: 'decoupled-ppo', value: {}, credit: { kind: 'return-to-go' } }, /algorithm\.credit\.kind: .*expected broadcast/],
    [{ name: 'vtrace', epochs: 2 }, /algorithm\.epochs: got 2, expected 1/],
    [{ name: 'reinforce-plus-plus', credit: { kind: 'return-to-go' } }, /expected one of broadcast, discounted/],
    [{ clipLow: 1.5 }, /algorithm\.clipLow: got 1\.5, expected a number from 0 to 1/],
    [{ dualClip: 1 }, /algorithm\.dualClip: got 1, expected a number above 1, since/],
    [{ correction: { kind: 'mask', low: 1, high: 1 } }, /algorithm\.correction\.low: got 1, expected less than/],
    [{ correction: { kind: 'mask', cap: 3 } }, /algorithm\.correction\.cap: got 3, expected no cap/],
    [{ correction: { kind: 'truncate', cap: 0 } }, /algorithm\.correction\.cap: got 0, expected a number above 0/],
    [{ beta: 0.1 }, /unknown key "algorithm\.beta"\. Keys of algorithm: .*grpo has no beta; gvpo has\)/],
    [
      { name: 'gvpo', clipLow: 0.1 },
      /unknown key "algorithm\.clipLow"\. Keys of algorithm: name, beta, .*its loss has no probability ratio/,
    ],
    [{ klip: 1 }, /unknown key "algorithm\.klip"; did you mean "algorithm\.kl"\? Keys of algorithm: name, std, /],
    [{ kl: { coeficient: 1 } }, /unknown key "algorithm\.kl\.coeficient"; did you mean "algorithm\.kl\.coefficient"/],
    [{ name: 'grop' }, /algorithm\.name: got "grop", expected one of grpo, dr-grpo, rloo, /],
    [{ name: 'gspo', clipHigh: 'x' }, /algorithm\.clipHigh: got "x", expected a number from 0 to 10/],
    [{ epsilon: -1, std: 'most' }, /algorithm\.std: got "most".*\n.*algorithm\.epsilon: got -1/],
    [3, /algorithm: got 3, expected a section with the keys name, std/],
  ])('refuses %o', (algorithm, message) => {
    expect(refusal(algorithm)).toMatch(message);
  });

  it('refuses more mini-batches than there are groups to make them of', () => {
    expect(refusal({ name: 'gspo', miniBatches: 5 }, { rollout: { groupsPerRound: 4 } })).toMatch(
      /algorithm\.miniBatches: got 5, expected at most 4 \(rollout\.groupsPerRound\), since/,
    );
    expect(job({ miniBatches: 4 }, { rollout: { groupsPerRound: 4 } }).algorithm.miniBatches).toBe(4);
  });
});

describe('one section of several', () => {
  const section = schemaAt(jobConfigSchema, ['algorithm'])!;

  it('has the keys of all', () => {
    expect(keysOf(section)).toEqual(expect.arrayContaining(['std', 'beta', 'rhoBar', 'refill', 'value']));
    expect(childOf(section, 'nothing')).toBeUndefined();
    expect(keysOf(schemaAt(jobConfigSchema, ['algorithm', 'kl'], { algorithm: { name: 'gvpo' } }) ?? section)).toContain('beta');
  });

  it('takes flags of any', () => {
    const flags = fromFlags(jobConfigSchema, ['algorithm.name=gvpo', 'algorithm.beta=0.5', 'algorithm.kl.reference=3']);
    expect(flags.map(({ path, value }) => [path.join('.'), value])).toEqual([
      ['algorithm.name', 'gvpo'],
      ['algorithm.beta', 0.5],
      ['algorithm.kl.reference', 3],
    ]);
  });

  it('is a choice for editors', () => {
    const properties = jobJsonSchema()['properties'] as Record<string, { oneOf: { properties: { name: { const: string } } }[] }>;
    expect(properties['algorithm']!.oneOf.map((option) => option.properties.name.const)).toEqual(Object.keys(METHODS));
  });
});
