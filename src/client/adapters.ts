import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import {
  ExperimentChoice,
  type Adapter,
  type CreateExperimentRequestSchema,
  type Experiment,
  type RecordRewardResponse,
  type ServePolicyResponse,
} from '../gen/millrace/v1/adapters_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';

type Admin = ServiceClient<typeof AdminService>;

/** Options of {@link AdaptersClient.publish}. */
export interface PublishOptions extends CallOptions {
  /** Default "local". */
  owner?: string | undefined;
  /** Makes it live. Default false; the first policy of an agent is live in any case. */
  live?: boolean | undefined;
}

/** Options of {@link AdaptersClient.serve}. */
export interface ServeOptions extends CallOptions {
  /** What is to meet the same policy while an experiment runs: a user, a session. Default: the task itself. */
  stickyKey?: string | undefined;
  /** A UUID that makes it safe to send the request again. */
  requestId?: string | undefined;
  /** How long the run may take, in milliseconds, 100 to 55_000. Default 25_000. */
  runMs?: number | undefined;
}

/** Published policies of agents, and the live tasks that they solve (docs/experiments.md). */
export interface AdaptersClient {
  /** @param version - `<job>@<version>`, or `<job>` for its best checkpoint */
  publish(agent: string, version: string, options?: PublishOptions): Promise<Adapter>;
  /** @param version - default: the live one */
  get(agent: string, version?: string, options?: CallOptions): Promise<Adapter>;
  /** @param agent - default: those of all agents */
  list(agent?: string, options?: CallOptions): Promise<Adapter[]>;
  promote(agent: string, version: string, options?: CallOptions): Promise<Adapter>;
  /** @param version - that is rolled back; where another one is live, nothing is done. Default: the live one */
  rollBack(agent: string, version?: string, options?: CallOptions): Promise<Adapter>;
  /** Solves a live task with the policy that the router picks. */
  serve(agent: string, task: unknown, options?: ServeOptions): Promise<ServePolicyResponse>;
  /** Says what a task came to, a number or whether it was a success; the same again changes nothing. */
  recordReward(trajectoryId: string, outcome: number | boolean, options?: CallOptions): Promise<RecordRewardResponse>;
}

/** What an experiment is created with: see CreateExperimentRequest in adapters.proto. */
export type NewExperiment = MessageInitShape<typeof CreateExperimentRequestSchema>;

/** Comparisons of two policies on live tasks (docs/experiments.md). */
export interface ExperimentsClient {
  create(experiment: NewExperiment, options?: CallOptions): Promise<Experiment>;
  /** `not_found` when there is none of that id. */
  get(id: string, options?: CallOptions): Promise<Experiment>;
  /** Newest first. @param agent - default: those of all agents */
  list(agent?: string, options?: CallOptions): Promise<Experiment[]>;
  /** Ends it, whatever the evidence says. */
  decide(id: string, choice: 'promote' | 'rollback', reason?: string, options?: CallOptions): Promise<Experiment>;
  /** Ends it; the champion stays. */
  stop(id: string, reason?: string, options?: CallOptions): Promise<Experiment>;
}

/** The published policies of a cluster. */
export function adaptersClient(admin: Admin): AdaptersClient {
  const one = async (answer: Promise<{ adapter?: Adapter | undefined }>): Promise<Adapter> =>
    answered((await answer).adapter, 'a policy');
  return {
    publish: (agent, version, { owner = '', live = false, ...options } = {}) =>
      one(admin.publishAdapter({ agent, version, owner, live }, { timeoutMs: 60_000, ...options })),
    get: (agent, version = '', options = {}) => one(admin.getAdapter({ agent, version }, options)),
    list: async (agent = '', options = {}) => (await admin.listAdapters({ agent }, options)).adapters,
    promote: (agent, version, options) => one(admin.promoteAdapter({ agent, version }, options)),
    rollBack: (agent, version = '', options = {}) => one(admin.rollBackAdapter({ agent, version }, options)),
    serve: (agent, task, { stickyKey = '', requestId = '', runMs, ...options } = {}) =>
      admin.servePolicy(
        {
          agent,
          taskJson: JSON.stringify(task),
          stickyKey,
          requestId,
          ...(runMs !== undefined && { timeout: durationFromMs(runMs) }),
        },
        { timeoutMs: (runMs ?? 25_000) + 5_000, ...options },
      ),
    recordReward: (trajectoryId, outcome, options) => admin.recordReward({ trajectoryId, outcome: outcomeOf(outcome) }, options),
  };
}

function outcomeOf(outcome: number | boolean): { case: 'reward'; value: number } | { case: 'success'; value: boolean } {
  return typeof outcome === 'number' ? { case: 'reward', value: outcome } : { case: 'success', value: outcome };
}

/** The experiments of a cluster. */
export function experimentsClient(admin: Admin): ExperimentsClient {
  const one = async (answer: Promise<{ experiment?: Experiment | undefined }>): Promise<Experiment> =>
    answered((await answer).experiment, 'an experiment');
  const choices = { promote: ExperimentChoice.PROMOTE, rollback: ExperimentChoice.ROLL_BACK };
  return {
    create: (experiment, options) => one(admin.createExperiment(experiment, options)),
    get: (id, options) => one(admin.getExperiment({ id }, options)),
    list: async (agent = '', options = {}) => (await admin.listExperiments({ agent }, options)).experiments,
    decide: (id, choice, reason = '', options = {}) =>
      one(admin.decideExperiment({ id, choice: choices[choice], reason }, options)),
    stop: (id, reason = '', options = {}) => one(admin.stopExperiment({ id, reason }, options)),
  };
}
