import { describe, expect, it } from 'vitest';
import { differences } from './compare.ts';
import type { Loaded } from './protocol.ts';

const REFERENCE: Loaded = { loss: -0.5, lossAfter: -0.6, norms: { a: 2, b: 0.5, tiny: 1e-7 }, scores: [1e-9, 40] };

describe('differences', () => {
  it('finds none where only the last digits differ', () => {
    const other: Loaded = { loss: -0.5001, lossAfter: -0.6, norms: { a: 2.001, b: 0.5, tiny: 3e-8 }, scores: [-2e-6, 40.01] };
    expect(differences(REFERENCE, other)).toEqual([]);
    expect(differences(REFERENCE, REFERENCE)).toEqual([]);
  });

  it('names what is not the same', () => {
    const wrong = { ...REFERENCE, loss: -0.502, norms: { a: 2, b: 0.51, tiny: 1e-7 } };
    expect(differences(REFERENCE, wrong)).toEqual(['loss: -0.5 and -0.502', 'gradient of b: 0.5 and 0.51']);
    expect(differences(REFERENCE, { ...REFERENCE, lossAfter: NaN })).toEqual(['loss after some steps: -0.6 and NaN']);
    expect(differences(REFERENCE, { ...REFERENCE, scores: [0.3, 40] })).toEqual(['sum of scores: 1e-9 and 0.3']);
  });

  it('takes a missing gradient for zero', () => {
    const { tiny: _, ...others } = REFERENCE.norms;
    expect(differences(REFERENCE, { ...REFERENCE, norms: others })).toEqual([]);
    expect(differences(REFERENCE, { ...REFERENCE, norms: { a: 2, tiny: 1e-7 } })).toEqual(['gradient of b: 0.5 and 0']);
    expect(differences(REFERENCE, { ...REFERENCE, norms: { ...REFERENCE.norms, c: 1 } })).toEqual(['gradient of c: 0 and 1']);
  });
});
