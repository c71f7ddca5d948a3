import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { experienceOf } from '../experience.ts';
import { decodeDecisions, encodeDecisions, LLAMA_CODEC, type WrittenDecision } from './codec.ts';

const VOCABULARY = 300;
const tokens = fc.array(fc.nat(VOCABULARY - 1), { minLength: 1, maxLength: 12 });

function experience(decisions: readonly WrittenDecision[], payload = encodeDecisions(decisions)) {
  const lengths = decisions.map((decision) => decision.tokens.length);
  return experienceOf({
    ...{ ...LLAMA_CODEC, payload, temperature: 1, trajectoryLengths: [decisions.length], decisionLengths: lengths },
    logProbabilities: lengths.flatMap((length) => new Array<number>(length).fill(-1)),
  });
}

describe('decisions as bytes', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ prompt: tokens, tokens }), { minLength: 1, maxLength: 8 }), (decisions) => {
        expect(decodeDecisions(experience(decisions), 'group', VOCABULARY)).toEqual(decisions);
      }),
    );
  });

  it('hold what prompts have in common once', () => {
    const prompt = Array.from({ length: 100 }, (_, i) => i);
    const one = encodeDecisions([{ prompt, tokens: [1] }]).length;
    const grown = [...prompt, 1, 2, 3];
    const two = encodeDecisions([
      { prompt, tokens: [1] },
      { prompt: grown, tokens: [1] },
      { prompt: grown, tokens: [2] },
    ]);
    expect(two.length).toBeLessThan(one + 20);
  });

  it('are refused with the field when they are damaged, whatever bytes there are', () => {
    const decisions = [{ prompt: [5, 6, 200], tokens: [7, 8] }];
    const bytes = encodeDecisions(decisions);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, length) => {
        const damaged = bytes.slice(0, length);
        if (at < length) damaged[at] = byte;
        try {
          const read = decodeDecisions(experience(decisions, damaged), 'group', VOCABULARY);
          expect(read.map((decision) => decision.tokens.length)).toEqual([2]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_argument', field: 'group' });
        }
      }),
    );
    expect(() => decodeDecisions(experience(decisions), 'group', 100)).toThrow(/a token that the model has not: it has 100/);
    expect(() => decodeDecisions({ ...experience(decisions), codec: 'llama/0' }, 'group', VOCABULARY)).toThrow(
      expect.objectContaining({ code: 'failed_precondition' }),
    );
  });
});
