import { describe, expect, it } from 'vitest';
import type { Measured } from './measure.ts';
import { computeTable, rowsOf } from './report.ts';

const of = (backend: string, size: string, kind: 'train' | 'forward', wallMs: number): Measured => {
  return { policy: 'gru', size, kind, backend, wallMs, cpuMs: wallMs / 2 };
};
const MEASURED = [
  of('pytorch', '4x5x6', 'train', 10),
  of('native', '4x5x6', 'train', 7),
  of('pytorch', '4x5x6', 'forward', 4),
  of('native', '4x5x6', 'forward', 6),
  of('pytorch', '8x5x6', 'train', 1234),
  of('native', '8x5x6', 'train', 617),
];

describe('rowsOf', () => {
  it('relates each row to the peer of the same policy, size and kind', () => {
    const rows = rowsOf(MEASURED, 'wall');
    expect(rows[1]).toEqual({
      policy: 'gru',
      size: '4x5x6',
      kind: 'train',
      backend: 'native',
      medianMs: 7,
      ratioToPyTorch: 0.7,
    });
    expect(rows.map(({ ratioToPyTorch }) => ratioToPyTorch)).toEqual([1, 0.7, 1, 1.5, 1, 0.5]);
    expect(rowsOf(MEASURED, 'cpu').map(({ medianMs }) => medianMs)).toEqual([5, 3.5, 2, 3, 617, 308.5]);
  });

  it('has no ratios without the peer', () => {
    const rows = rowsOf(
      MEASURED.filter(({ backend }) => backend === 'native'),
      'wall',
    );
    expect(rows.map(({ ratioToPyTorch }) => ratioToPyTorch)).toEqual([null, null, null]);
  });
});

describe('computeTable', () => {
  it('has one line for each policy, size and kind', () => {
    expect(computeTable(rowsOf(MEASURED, 'wall')).trimEnd().split('\n')).toEqual([
      'POLICY  SIZE   KIND     pytorch ms  native ms  native ratio',
      'gru     4x5x6  train          10.0       7.00          0.70',
      'gru     4x5x6  forward        4.00       6.00          1.50',
      'gru     8x5x6  train          1234        617          0.50',
    ]);
  });

  it('has no columns of ratios without the peer', () => {
    const rows = rowsOf(
      MEASURED.filter(({ backend }) => backend === 'native'),
      'wall',
    );
    expect(computeTable(rows).split('\n')[0]).toBe('POLICY  SIZE   KIND     native ms');
  });
});
