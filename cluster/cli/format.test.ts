import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { percent } from '../../src/jobs/percent.ts';
import { ago, byteSize, duration, figure, oneLine, timestamp } from './format.ts';

describe('format', () => {
  it('durations', () => {
    const texts = [0, 0.85, 59.4, 59.6, 185, 3599.9, 7805, 273_600, -1, NaN].map(duration);
    expect(texts).toEqual(['0ms', '850ms', '59s', '1m 00s', '3m 05s', '1h 00m', '2h 10m', '3d 4h', '–', '–']);
  });

  it('numbers', () => {
    expect([1234.5, 12.345, 1.2345, 0, 0.01234, 0.0000012, -3.4567, NaN].map(figure)).toEqual([
      '1235',
      '12.3',
      '1.23',
      '0.00',
      '0.0123',
      '1.2e-6',
      '-3.46',
      '–',
    ]);
    expect([0, 0.42, 1].map(percent)).toEqual(['0.0 %', '42.0 %', '100.0 %']);
    expect([512n, 1536n, 5n * 1024n ** 3n].map(byteSize)).toEqual(['512 B', '1.5 KiB', '5.0 GiB']);
  });

  it('times', () => {
    expect(timestamp(timestampFromMs(1_700_000_000_123))).toBe('2023-11-14 22:13:20Z');
    expect(timestamp(undefined)).toBe('–');
    expect(ago(timestampFromMs(1000), 66_000)).toBe('1m 05s ago');
    expect(ago(timestampFromMs(2000), 1000)).toBe('0ms ago');
  });

  it('keeps control characters away from the terminal', () => {
    expect(oneLine('a\nb\tc\x1b[31m\u0007')).toBe('a\\nb c\\x1b[31m\\x07');
  });
});
