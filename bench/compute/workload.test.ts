import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flattenerFor } from '../../src/policy/planner/flatten.ts';
import { plannerParameterCount } from '../../src/policy/planner/layout.ts';
import { CASES, caseName } from './cases.ts';
import { ARRAYS, exportCase, INDEX } from './export.ts';
import { chosenCases } from './scenario.ts';
import { ACTIONS, startingParameters, workload } from './workload.ts';

describe('the table', () => {
  it('has three sizes of each policy, under names of their own', () => {
    expect(new Set(CASES.map(caseName)).size).toBe(9);
    for (const policy of ['bag', 'gru', 'transformer']) expect(chosenCases({ policies: policy })).toHaveLength(3);
    const names = CASES.map(caseName);
    expect(names).toContain('transformer 64x48x128x2');
    expect(names).toContain('gru 64x72x64');
    expect(chosenCases({ policies: 'gru', sizes: '64x72x64' }).map(caseName)).toEqual(['gru 64x72x64']);
    expect(() => chosenCases({ sizes: '1x1x1' })).toThrow('--sizes: "1x1x1" is none of');
  });
});

describe.each(CASES.map((each) => [caseName(each), each] as const))('the workload of %s', (_, each) => {
  it('is the same in every process', () => {
    const made = workload(each);
    expect(workload(each)).toEqual(made);
    const flat = flattenerFor(each.spec).flatten([made.batch]);
    expect(flat.observations).toBe(each.batch);
    expect(flat.items).toBe(each.batch * each.items);
    expect([...new Set(flat.texts.slice(1).map(({ length }) => length))]).toEqual([each.length]);
    if (each.texts === 'observation') expect(flat.texts).toHaveLength(1 + each.batch);
    for (let o = 0; o < flat.observations; o++) expect(flat.actionStart[o + 1]! - flat.actionStart[o]!).toBe(ACTIONS);
    expect(new Set(flat.itemAt.map((at) => Math.min(at, 0))).size).toBe(each.texts === 'observation' ? 2 : 1);
    expect(made.decisions.some(({ advantage }) => advantage < 0)).toBe(true);
  });

  it('is exported with every parameter, in order', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'));
    try {
      exportCase(each, folder);
      const bytes = readFileSync(join(folder, ARRAYS));
      const { arrays } = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'));
      const read = (name: string): { shape: number[]; values: Int32Array | Float32Array } => {
        const { dtype, shape, offset } = arrays[name];
        const size = (shape as number[]).reduce((product, n) => product * n, 1);
        const part = Uint8Array.from(bytes.subarray(offset, offset + 4 * size)).buffer;
        return { shape, values: dtype === 'int32' ? new Int32Array(part) : new Float32Array(part) };
      };
      const parameters = startingParameters(each);
      expect(parameters).toHaveLength(plannerParameterCount(each.spec));
      const named = Object.keys(arrays as object).filter((name) => name.startsWith('parameter '));
      const written = Buffer.concat(named.map((name) => new Uint8Array(read(name).values.buffer)));
      // Compared as bytes: a matcher would visit half a million numbers one by one.
      expect(written.equals(new Uint8Array(parameters.buffer))).toBe(true);
      const { shape, values: tokens } = read('tokens');
      expect(shape[1]).toBe(each.length);
      expect(Math.min(...tokens)).toBeGreaterThan(0);
      const rows = read('atRow').values;
      const stands = read('stands').values;
      expect(Math.max(...rows)).toBeLessThan(tokens.length);
      expect(stands.some((value) => value === 1)).toBe(each.texts === 'observation');
      expect(read('decisionObservation').values).toHaveLength(read('advantage').values.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
