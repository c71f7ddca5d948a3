import { describe, expect, it } from 'vitest';
import type { Held } from '../compute/protocol.ts';
import { growth } from './growth.ts';

const MIB = 1024 * 1024;
const held = (changes: Partial<Held> = {}): Held => ({ tensors: 10, bytes: 4000, rss: 200 * MIB, ...changes });

describe('growth', () => {
  it('is nothing while the collector moves within its leeway', () => {
    expect(growth([held(), held({ rss: 260 * MIB }), held({ rss: 266 * MIB })])).toEqual([]);
    expect(growth([held(), held(), held({ rss: 150 * MIB })])).toEqual([]);
  });

  it('is a single tensor or byte more', () => {
    expect(growth([held(), held(), held({ tensors: 11 })])).toEqual(['1 more tensors than before (11)']);
    expect(growth([held(), held({ bytes: 4004 }), held({ bytes: 4004 })])).toEqual([
      '4 more bytes of tensors than before (4004)',
    ]);
  });

  it('is resident memory that rises in the second half', () => {
    expect(growth([held(), held(), held({ rss: 209 * MIB })])).toEqual([
      'resident memory grew by 9.0 MiB in the second half (to 209.0 MiB)',
    ]);
    const large = held({ rss: 1000 * MIB });
    expect(growth([large, large, held({ rss: 1029 * MIB })])).toEqual([]);
  });
});
