import { create, toBinary } from '@bufbuild/protobuf';
import { Agent, Purpose, RolloutRequestSchema, ScoredGroupSchema, Verdict } from '../../src/gen/millrace/v1/training_pb.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { packRows } from '../../src/records/pack.ts';
import type { GroupTemplate } from './templates.ts';

/** Groups of one training round. */
const GROUPS_PER_ROUND = 8;

/** Which group a message is. */
export interface GroupIdentity {
  job: string;
  /** Position in the job, from 0. */
  sequence: number;
  /** When it was dispatched, in microseconds; the rows' times follow. */
  nowUs: number;
}

/** A scored group as it travels. */
export interface GroupMessage {
  /** Request and message id. */
  id: string;
  sequence: number;
  subject: string;
  data: Uint8Array;
  /** Steps of each member: what the store must hold. */
  lengths: readonly number[];
  /** Their sum. */
  steps: number;
}

/** `<job>:<round>:<task>#<sequence>:0`, as src/jobs/requests.ts names requests; padded, so that ids sort by sequence. */
export function idOf(job: string, sequence: number, task: string): string {
  const round = String(Math.floor(sequence / GROUPS_PER_ROUND)).padStart(8, '0');
  return `${job}:${round}:${task}#${sequence}:0`;
}

/** The message that a reward actor would publish for this group, encoded and packed by the same functions. */
export function groupMessage(template: GroupTemplate, { job, sequence, nowUs }: GroupIdentity): GroupMessage {
  const id = idOf(job, sequence, template.taskId);
  const version = Math.floor(sequence / GROUPS_PER_ROUND);
  const trajectories = template.trajectories.map((row) => ({
    ...row,
    job,
    trajectory_id: `${id}:${row.member}`,
    request_id: id,
    sequence,
    policy_version: version,
    dispatch_version: version,
    dispatched_at: nowUs,
    started_at: nowUs + row.started_at,
    ended_at: nowUs + row.ended_at,
    scored_at: nowUs + row.scored_at,
  }));
  const steps = template.steps.map((row) => ({
    ...row,
    job,
    trajectory_id: `${id}:${row.trajectory_id}`,
    request_id: id,
    policy_version: version,
    started_at: nowUs + row.started_at,
  }));
  const group = create(ScoredGroupSchema, {
    request: create(RolloutRequestSchema, {
      id,
      job,
      sequence: BigInt(sequence),
      purpose: Purpose.TRAIN,
      agent: Agent.POLICY,
      taskId: template.taskId,
      groupSize: trajectories.length,
      policyVersion: version,
      temperature: 1,
      dispatchedAtUs: BigInt(nowUs),
    }),
    verdict: Verdict.SIGNAL,
    scores: trajectories.map(({ reward, outcome, advantage, success, valid, steps: count }) => ({
      reward,
      outcome,
      advantage,
      success,
      valid,
      steps: count,
    })),
    experience: template.experience,
    stepRows: packRows(encodeRows('steps', steps)),
    trajectoryRows: packRows(encodeRows('trajectories', trajectories)),
    node: 'rollout-1',
    policyVersion: version,
  });
  return {
    id,
    sequence,
    subject: `scored.${job}.train`,
    data: toBinary(ScoredGroupSchema, group),
    lengths: trajectories.map(({ steps: count }) => count),
    steps: steps.length,
  };
}
