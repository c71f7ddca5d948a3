import { z } from 'zod';
import { checkedWhole } from '../../../src/config/problems.ts';
import { MillraceError } from '../../../src/errors.ts';

const jobId = z.string().min(1).max(40);

export const jobParams = z.strictObject({ job_id: jobId });

/** Settings of a job by their names in JSON-RPC, and where they are in a job's configuration. */
export const SETTINGS = {
  n_trajectories_per_query: ['rollout.groupSize'],
  batch_size: ['rollout.groupsPerRound'],
  checkpoint_interval: ['checkpoint.every', 'evaluation.every'],
  n_rounds: ['rounds'],
  held_out: ['split.heldOut'],
  learning_rate: ['optimizer.learningRate'],
  temperature: ['rollout.temperature'],
  max_staleness: ['rollout.maxStaleness'],
  seed: ['seed'],
} as const;

const number = z.number().optional();

export const startParams = z.strictObject({
  agent_id: z.string().min(1).max(40),
  training_data: z
    .array(z.strictObject({ query: z.string().min(1), expected_outcome: z.json() }))
    .min(2)
    .max(100_000),
  config: z
    .strictObject({
      n_trajectories_per_query: number,
      batch_size: number,
      checkpoint_interval: number,
      n_rounds: number,
      held_out: number,
      learning_rate: number,
      temperature: number,
      max_staleness: number,
      seed: number,
      /** Anything else of a job's configuration, by its own names. */
      job: z.record(z.string(), z.json()).optional(),
    })
    .prefault({}),
  /** Name of the job. Default: the agent's. */
  name: z.string().optional(),
  owner: z.string().optional(),
  priority: z.int().optional(),
  /** A UUID: the same call again gives the same job. */
  request_id: z.string().optional(),
});

/** Longest time that an evaluation is waited for; the gateway answers within its own limit. */
const MOST_WAIT_SECONDS = 50;

export const evaluateParams = z.strictObject({
  job_id: jobId,
  /** "<job>@<version>" as in `best_checkpoint`, or the version alone. Default: the newest version. */
  checkpoint: z.union([z.int().min(0), z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}@\d{1,9}$/)]).optional(),
  /** How long the answer waits for the result, in seconds. Default: not at all. */
  wait_seconds: z.number().min(0).max(MOST_WAIT_SECONDS).default(0),
  /** A UUID: the same call again gives the same evaluation. */
  request_id: z.string().optional(),
});

export const exportParams = z.strictObject({
  job_id: jobId,
  /** "train" or "evaluate"; both when absent. */
  purpose: z.enum(['train', 'evaluate']).optional(),
  success: z.boolean().optional(),
  /** About how many. Default 100. */
  limit: z.int().min(1).max(1000).default(100),
  /** Of the answer before. */
  cursor: z.string().default(''),
});

/** Params by name, checked. `invalid_argument` with the field. */
export function checked<T>(schema: z.ZodType<T>, params: unknown): T {
  if (params === undefined || Array.isArray(params))
    throw new MillraceError('invalid_argument', 'params are an object: give them by name.', { field: 'params' });
  return checkedWhole(schema, params, 'params');
}

/** Name in JSON-RPC of a field of the configuration, for errors. */
export function fieldInRpc(field: string): string {
  const found = Object.entries(SETTINGS).find(([, paths]) => (paths as readonly string[]).includes(field));
  return found === undefined ? field : `config.${found[0]}`;
}
