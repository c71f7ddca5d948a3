import { describe, expect, it } from 'vitest';
import { decodeExperience, encodeExperience, requireCodec, type ExperienceParts } from './experience.ts';

const parts: ExperienceParts = {
  kind: 'planner',
  codec: 'planner/1',
  payload: Uint8Array.of(1, 2, 3),
  temperature: 0.5,
  trajectoryLengths: [1, 1],
  decisionLengths: [2, 1],
  logProbabilities: [-1, -0.5, -2],
  mask: Uint8Array.of(1, 0, 1),
};

describe('the envelope of experience', () => {
  it('keeps its columns and leaves the payload alone', () => {
    expect(decodeExperience(encodeExperience(parts))).toMatchObject(parts);
  });

  it.each<[string, Partial<ExperienceParts>]>([
    ['kind', { kind: '' }],
    ['codec', { codec: '' }],
    ['temperature', { temperature: 0 }],
    ['decision_lengths', { decisionLengths: [2] }],
    ['log_probabilities', { logProbabilities: [-1] }],
    ['mask', { mask: Uint8Array.of(1) }],
  ])('is refused with a wrong %s', (field, change) => {
    expect(() => encodeExperience({ ...parts, ...change })).toThrow(expect.objectContaining({ field }) as Error);
  });

  it('is read by the codec that wrote it alone', () => {
    const experience = decodeExperience(encodeExperience(parts));
    expect(() => requireCodec(experience, { kind: 'planner', codec: 'planner/1' })).not.toThrow();
    for (const other of [
      { kind: 'llama', codec: 'planner/1' },
      { kind: 'planner', codec: 'planner/2' },
    ]) {
      expect(() => requireCodec(experience, other)).toThrow(/kind "planner" in format "planner\/1"/);
    }
  });

  it('is data loss where the bytes are no message', () => {
    expect(() => decodeExperience(Uint8Array.of(255, 255))).toThrow(expect.objectContaining({ code: 'data_loss' }) as Error);
  });
});
