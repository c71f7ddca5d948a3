import type { RolloutRequest } from '../gen/millrace/v1/training_pb.ts';
import { encodeRows } from './encode.ts';
import { packRows } from './pack.ts';
import { withinBudget } from './row-budget.ts';
import type { StepRow } from './tables.ts';
import { purposeWord } from './words.ts';

/** One decision of a run and the tool call that followed: what a row of it holds. */
interface RecordedStep {
  tool: string;
  items: readonly number[];
  /** As JSON text. */
  arguments: string;
  result: string;
  error: boolean;
  logProbability: number;
  entropy: number;
  openActions: number;
  planUs: number;
  toolUs: number;
  /** Unix time in microseconds. */
  startedAt: number;
  stateFlags?: readonly number[] | undefined;
}

/** A member of a group with the id its trajectory has. */
interface RecordedMember {
  id: string;
  policyVersion: number;
  run: { steps: readonly RecordedStep[] };
}

/**
 * Rows of table `steps` for every step of every member, packed; failed members' too: what happened until then is worth
 * seeing. Texts are cut where they would fill a message.
 */
export function encodeStepRows(request: RolloutRequest, members: readonly RecordedMember[]): Uint8Array {
  const { job, id: request_id, taskId: task_id, evaluation } = request;
  const purpose = purposeWord(request.purpose);
  const encoded = withinBudget((cut) => {
    const rows: StepRow[] = [];
    for (const { id: trajectory_id, policyVersion: policy_version, run } of members)
      for (const [step, record] of run.steps.entries()) {
        const row: StepRow = {
          job,
          trajectory_id,
          request_id,
          task_id,
          purpose,
          evaluation,
          policy_version,
          step,
          tool: record.tool,
          items: record.items,
          arguments: cut(record.arguments),
          result: cut(record.result),
          error: record.error,
          log_probability: record.logProbability,
          entropy: record.entropy,
          open_actions: record.openActions,
          plan_us: record.planUs,
          tool_us: record.toolUs,
          started_at: record.startedAt,
        };
        if (record.stateFlags !== undefined) row.state_flags = Float32Array.from(record.stateFlags);
        rows.push(row);
      }
    return encodeRows('steps', rows);
  });
  return packRows(encoded);
}
