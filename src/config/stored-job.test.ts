import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from './job.ts';
import { storedJobConfigSchema } from './stored-job.ts';

describe('storedJobConfigSchema', () => {
  it('reads a configuration of an older build as what that build did, not as today’s defaults', () => {
    const today = jobConfigSchema.parse({ name: 'a', flow: 'flow.ts' });
    const old = structuredClone(today) as unknown as Record<string, Record<string, unknown>>;
    for (const [section, key] of [
      ['split', 'test'],
      ['evaluation', 'test'],
      ['optimizer', 'averaging'],
      ['algorithm', 'finalEntropy'],
    ] as const)
      delete old[section]![key];
    expect(storedJobConfigSchema.parse(old)).toEqual({
      ...today,
      split: { ...today.split, test: 0 },
      evaluation: { ...today.evaluation, test: false },
      optimizer: { ...today.optimizer, averaging: 0 },
      algorithm: { ...today.algorithm, finalEntropy: 1 },
    });
  });

  it('takes everything else as it was stored', () => {
    const config = jobConfigSchema.parse({ name: 'a', flow: 'flow.ts', optimizer: { averaging: 0.5 } });
    expect(storedJobConfigSchema.parse(structuredClone(config))).toEqual(config);
  });
});
