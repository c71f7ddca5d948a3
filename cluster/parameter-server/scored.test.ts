import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { ScoredGroupSchema, Verdict, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { encodeExperience } from '../../src/policy/experience.ts';
import { arrived, experienceProblem, withoutExperience } from './scored.ts';

const parts = {
  kind: 'k',
  codec: 'c',
  payload: new Uint8Array(),
  temperature: 1,
  trajectoryLengths: [1, 1],
  logProbabilities: [-1, -2],
};
const good = encodeExperience(parts);

function group(experience: Uint8Array, { verdict = Verdict.SIGNAL, members = 2 } = {}): ScoredGroup {
  const scores = Array.from({ length: members }, () => ({ valid: true }));
  return create(ScoredGroupSchema, { request: { id: 'job:7', sequence: 7n }, verdict, scores, experience });
}

/** The experience with the last log-probability replaced, as no encoder would write it. */
function withNaN(): Uint8Array {
  const bytes = good.slice();
  const view = new DataView(bytes.buffer);
  const at = bytes.length - 4;
  for (let i = at; i >= 0; i--) if (view.getFloat32(i, true) === -2) view.setFloat32(i, NaN, true);
  return bytes;
}

describe('the experience of a scored group', () => {
  it('is checked where there is a signal to train on', () => {
    expect(experienceProblem(group(good))).toBeUndefined();
    expect(experienceProblem(group(new Uint8Array(), { verdict: Verdict.NO_SIGNAL }))).toBeUndefined();
  });

  it.each<[string, ScoredGroup, RegExp]>([
    ['no bytes', group(new Uint8Array()), /kind: it is empty/],
    ['no message', group(Uint8Array.of(0xff, 0xff, 0xff)), /not an Experience/],
    ['a log-probability of NaN', group(withNaN()), /log_probabilities\[1\].*a finite number is needed, got NaN/],
    ['fewer trajectories than scores', group(good, { members: 3 }), /experience of 2 trajectories, scores of 3/],
  ])('is not trained on when it is %s', (_, scored, problem) => {
    expect(experienceProblem(scored)).toMatch(problem);
  });

  it('ends its request as failed when it is lost', () => {
    const { scored, ...rest } = arrived(withoutExperience(group(good), 'the parts are gone'));
    expect(rest).toMatchObject({ sequence: 7, verdict: 'failed', failure: FailureClass[FailureClass.WORKER_LOST] });
    expect(scored.failureMessage).toBe('the parts are gone');
  });
});
