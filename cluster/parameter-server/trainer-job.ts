import type { Lease } from '../../src/protocol/lease.ts';
import { roundsOf } from '../../src/jobs/early-stop.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { JobRuntime } from '../jobs/runtime.ts';

/** One job as the parts of its trainer share it. */
export interface TrainerJob {
  readonly context: NodeContext;
  readonly runtime: JobRuntime;
  /** The lease that allows this node to train the job; its token fences every commit. */
  readonly lease: Lease;
  /** The newest record known; the trainer replaces it when the job changes. */
  record: JobRecord;
}

/** Whether a version has a checkpoint, also while the job is not paused. */
export function hasCheckpoint(record: JobRecord, version: number): boolean {
  const { every } = record.config.checkpoint;
  return isEvaluated(record, version) || (every > 0 && version > 0 && version % every === 0);
}

/** Whether a version is measured on held-out tasks: its weights are kept, and it has a checkpoint. */
export function isEvaluated(record: JobRecord, version: number): boolean {
  const { evaluation } = record.config;
  return version === roundsOf(record) || (evaluation.every > 0 && version % evaluation.every === 0);
}
