import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../errors.ts';
import { decodeObservation, encodeObservation, tokensFromBytes, tokensToBytes } from './codec.ts';
import type { Observation } from './observation.ts';
import { decode } from './decode.ts';
import { dice, situation, smallSpec } from './testing.ts';

const spec = smallSpec();
const example: Observation = {
  text: 0,
  flags: [1, 0.5],
  items: [{ text: 300, at: -1, flags: [0, 1, -3] }],
  actions: [
    { tool: 0, args: [], flags: [0, 0] },
    { tool: 2, args: [0, 0], flags: [1, 1e-3] },
  ],
};

describe('encodeObservation', () => {
  it('can be decoded again', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const observation = situation(spec, 5, 8, dice(seed));
        expect(decodeObservation(encodeObservation(observation, spec), spec)).toEqual(observation);
      }),
    );
  });

  it('gives equal bytes for equal situations: -0 is 0, and numbers are float32', () => {
    const same = { ...example, flags: [1, 0.5 + 1e-12], items: [{ ...example.items[0]!, flags: [-0, 1, -3] }] };
    expect(encodeObservation(same, spec)).toEqual(encodeObservation(example, spec));
    expect(encodeObservation({ ...example, flags: [0, 0.5] }, spec)).not.toEqual(encodeObservation(example, spec));
  });

  it.each<[string, Partial<Observation>, string]>([
    ['too few flags', { flags: [1] }, 'observation.flags'],
    ['a flag that is not a number', { flags: [NaN, 0] }, 'observation.flags'],
    ['a flag that does not fit float32', { flags: [1e300, 0] }, 'observation.flags'],
    ['no action', { actions: [] }, 'observation.actions'],
    ['an unknown tool', { actions: [{ tool: 9, args: [], flags: [0, 0] }] }, 'observation.actions[0].tool'],
    ['a missing argument', { actions: [{ tool: 1, args: [], flags: [0, 0] }] }, 'observation.actions[0].args'],
    ['an argument that is no item', { actions: [{ tool: 1, args: [1], flags: [0, 0] }] }, 'observation.actions[0].args'],
    ['a text index below -1', { text: -2 }, 'observation.text'],
  ])('refuses %s and names the field', (_, change, field) => {
    expect(() => encodeObservation({ ...example, ...change }, spec)).toThrowError(
      expect.objectContaining({ code: 'invalid_argument', field }),
    );
  });
});

describe('decoding', () => {
  it('calls damaged bytes data loss and nothing else', () => {
    const bytes = encodeObservation(example, spec);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (position, change, cut) => {
        const damaged = cut ? bytes.slice(0, position) : bytes.map((byte, index) => (index === position ? byte ^ change : byte));
        for (const read of [decode, decodeObservation]) {
          try {
            read(damaged, spec);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
            expect((error as MillraceError).code).toBe('data_loss');
          }
        }
      }),
    );
  });

  it('finds repeated tuples and action features once', () => {
    const flags = [0, 0];
    const actions = [
      { tool: 1, args: [0], flags },
      { tool: 4, args: [0], flags: [0, 1] },
      { tool: 2, args: [0, 0], flags },
      { tool: 0, args: [], flags },
      { tool: 3, args: [], flags },
    ];
    const decoded = decode(encodeObservation({ ...example, actions }, spec), spec);
    expect(decoded.tuples.map((tuples) => tuples.count)).toEqual([1, 1, 1]);
    expect([...decoded.actionTuple]).toEqual([0, 0, 0, 0, 0]);
    expect([...decoded.actionRow]).toEqual([0, 1, 0, 0, 0]);
    expect([...decoded.rows]).toEqual([0, 0, 0, 1]);
  });
});

describe('tokensToBytes', () => {
  it('can be read back, also from an odd place in a larger buffer', () => {
    const tokens = Int32Array.of(1, 70_000, 3);
    const shifted = new Uint8Array(13);
    shifted.set(tokensToBytes(tokens), 1);
    expect(tokensFromBytes(shifted.subarray(1))).toEqual(tokens);
    expect(() => tokensFromBytes(shifted.subarray(0, 6))).toThrowError(expect.objectContaining({ code: 'data_loss' }));
  });
});
