import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { optionsOf } from '../bench/algorithms/reference.ts';
import { EXAMPLES } from '../bench/algorithms/examples.ts';
import { SETTINGS } from '../bench/algorithms/settings.ts';
import type { AlgorithmConfig } from '../src/algo/config.ts';
import type { LossColumns, Method, RoundGroup } from '../src/algo/method.ts';
import { METHODS } from '../src/algo/registry.ts';
import { valueLoss } from '../src/algo/value/loss.ts';
import * as math from '../src/math.ts';
import { TABLES } from '../src/records/tables.ts';

const page = readFileSync(new URL('algorithms.md', import.meta.url), 'utf8');
const methods = Object.entries(METHODS) as unknown as [string, Method][];
const between = (name: string): string | undefined => new RegExp(`<!-- ${name} -->([\\s\\S]*?)<!-- /${name} -->`).exec(page)?.[1];
/** Every combination of options that asks for statistics of its own. */
function variants(name: string, method: Method): AlgorithmConfig[] {
  const options = new Set(optionsOf(name).map(({ path }) => path));
  const level = name === 'gspo' ? 'trajectory' : 'decision';
  return [
    {},
    ...(options.has('kl.coefficient') ? [{ kl: { coefficient: 0.1 } }] : []),
    ...(options.has('correction.kind')
      ? [{ correction: { kind: 'truncate', level } }, { correction: { kind: 'mask', level } }]
      : []),
  ].map((more) => method.schema.parse({ name, ...more }));
}

/** Names of what a method logs about a small round of two groups. */
function logged(method: Method, config: AlgorithmConfig): string[] {
  const group: RoundGroup = {
    rewards: [1, 0],
    valid: [true, true],
    stepRewards: [[0, 1], [0]],
    advantages: [1, -1],
    behaviour: [[-1, -1], [-0.5]],
    values: [[0.5, 0.5], [0.5]],
    proximal: [[-0.9, -1], [-0.4]],
  };
  const columns: LossColumns = {
    logProbs: [-0.9, -1, -0.4],
    behaviour: [-1, -1, -0.5],
    proximal: [-0.9, -1, -0.4],
    reference: [-1.1, -1.1, -0.6],
    advantages: [1, 1, -1],
    weights: [1, 1, 1],
    trajectoryStart: [0, 2, 3],
    groupStart: [0, 2],
    rewards: [1, 0],
  };
  const round = method.roundAdvantages?.([group, group], config);
  return [...Object.keys(method.loss(columns, config).statistics), ...Object.keys(round?.statistics ?? {})];
}

describe('docs/algorithms.md', () => {
  it('has a section for every method', () => {
    const sections = [...page.matchAll(/^### `([\w-]+)`$/gm)].map((match) => match[1]!);
    expect(sections.sort()).toEqual(methods.map(([name]) => name).sort());
  });

  it('explains everything that is logged with a round', () => {
    const explained = new Set([...page.matchAll(/^\| `(\w+)` +\|/gm)].map((match) => match[1]!));
    explained.add('clipFraction');
    const notMetrics = ['job', 'version', 'committed_at', 'metrics'];
    const columns = TABLES.updates.columns.filter((name) => !notMetrics.includes(name));
    const ofMethods = methods.flatMap(([name, method]) => variants(name, method).flatMap((config) => logged(method, config)));
    const ofCritics = Object.keys(valueLoss([0.5], [1], [1], { clip: 0.1, oldValues: [0.5] }).statistics);
    const all = new Set([...columns, 'updates', 'surrogate', ...ofMethods, ...ofCritics]);
    expect(all.size).toBeGreaterThan(30);
    expect([...all].filter((name) => !explained.has(name))).toEqual([]);
  });

  it('names every function of the package that is about algorithms', () => {
    const [, functions = ''] = /^## Functions$([\s\S]*?)^## /m.exec(page) ?? [];
    const named = new Set([...functions.matchAll(/`(\w+)(?:\(|`)/g)].map((match) => match[1]!));
    const about = Object.keys(math);
    expect(about.length).toBeGreaterThan(50);
    expect(about.filter((name) => !named.has(name))).toEqual([]);
  });

  it('has a place for every table that the benchmarks write', () => {
    for (const name of ['table retail', 'table word-problems', 'table off-policy', 'table sample-efficiency']) {
      expect(between(name), name).toBeDefined();
    }
  });
});

describe('the settings of the comparison', () => {
  it('are of methods that exist, and valid', () => {
    for (const [name, { algorithm, withSteps }] of Object.entries(SETTINGS)) {
      const method = methods.find(([known]) => known === name)?.[1];
      expect(method, name).toBeDefined();
      for (const more of [{}, withSteps]) {
        const options = { name, entropy: EXAMPLES.retail.entropy, ...algorithm, ...more };
        expect(method!.schema.safeParse(options).error, name).toBeUndefined();
      }
    }
    expect(Object.keys(SETTINGS).sort()).toEqual(methods.map(([name]) => name).sort());
  });
});
