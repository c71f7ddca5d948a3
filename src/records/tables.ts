import { CALL_COLUMNS, type CallRow } from './call-tables.ts';
import type { ExperimentDecisionRow, ExperimentOutcomeRow } from './experiment-tables.ts';

/** The tables of the store. */
export type TableName =
  | 'steps'
  | 'trajectories'
  | 'updates'
  | 'evaluations'
  | 'job_events'
  | 'exploration'
  | 'spending'
  | 'training_jobs'
  | 'policy_checkpoints'
  | 'experiment_outcomes'
  | 'experiment_decisions'
  | 'calls';

/** Unix time in microseconds, up to 2^53; 0 = never happened. */
export type Micros = number;

export type RowPurpose = 'train' | 'evaluate' | 'serve';

/** One decision of one flow and the tool call that followed. Key: (job, trajectory_id, step). */
export interface StepRow {
  job: string;
  trajectory_id: string;
  request_id: string;
  task_id: string;
  purpose: RowPurpose;
  /** Evaluation it belongs to, e.g. `trained@40`; empty when training. */
  evaluation: string;
  policy_version: number;
  /** 0-based position in the trajectory. */
  step: number;
  /** Tool of the action; empty where a generated decision called none of the flow's. */
  tool: string;
  /** Memory items the action's arguments point to. */
  items: readonly number[];
  /** Arguments as JSON text; cut after {@link MAX_TEXT} characters. */
  arguments: string;
  /** What the tool answered; cut after {@link MAX_TEXT} characters. */
  result: string;
  /** The tool answered with an error, or there was none to call (which the policy sees as data). */
  error: boolean;
  /** log π(action | observation) at the sampling temperature; of a generated decision, of all its tokens. */
  log_probability: number;
  /** Entropy of the policy over the open actions, in nats; of a generated decision, the mean of -log p over its tokens. */
  entropy: number;
  /** How many actions were open. */
  open_actions: number;
  /** Microseconds in the planner: encoding, waiting for a batch, forward pass. */
  plan_us: number;
  /** Microseconds in the tool. */
  tool_us: number;
  started_at: Micros;
  /** Optional features of the state; travels as base64 (JSON numbers are 10× slower to parse). */
  state_flags?: Float32Array;
  /** How the policy decided; what follows is of generated decisions. Default `choice`: the encoded row ends here. */
  decision?: 'choice' | 'generated';
  /** What was wrong with the decision (`Mistake` of src/flow); default nothing. */
  mistake?: string;
  /** What the policy wrote; cut after {@link MAX_TEXT} characters. */
  text?: string;
  /** Tokens that the policy read. */
  tokens_in?: number;
  /** Tokens that it wrote. */
  tokens_out?: number;
  /**
   * Token ids that it read, without those at the beginning that are the prompt and tokens of the step before: with them it read
   * `tokens_in`.
   */
  prompt?: readonly number[];
  /** Token ids that it wrote. Never cut. */
  tokens?: readonly number[];
  /** State before the first step, as JSON text; empty in later steps, whose state before is the one after the step before. */
  state_before?: string;
  /** State after the step, as JSON text; empty where the step did not change it. */
  state_after?: string;
  /** The flow's verifier confirmed the step. Default false. */
  verified?: boolean;
  /** The most likely of the other open actions, most likely first; none where the policy wrote its call. */
  other_actions?: readonly string[];
  /** Their probabilities under what the action was sampled from, rounded to four digits. */
  other_probabilities?: readonly number[];
  /** Its part of the trajectory's reward; null without one. What follows is written by whoever scores the trajectory. */
  step_reward?: number | null;
  /** Of its decision; null where the method computes it from a whole round, and where nothing is trained on. */
  advantage?: number | null;
  /** Messages that were new to a policy in a conversation at this step, as a JSON list. What follows is of generated decisions. */
  messages?: string;
  /** The calls after the first of a text, each as a JSON object with tool, arguments, result, error and mistake. */
  further_calls?: readonly string[];
  /** log-probability of each of `tokens`. Default: the encoded row ends before `messages`. */
  token_log_probabilities?: readonly number[];
}

/** One run of a flow on one task, scored. Key: (job, trajectory_id). */
export interface TrajectoryRow {
  job: string;
  trajectory_id: string;
  request_id: string;
  /** Position of the request in the job's sequence. */
  sequence: number;
  /** Position in the group, 0-based. */
  member: number;
  task_id: string;
  purpose: RowPurpose;
  evaluation: string;
  /** Who decided: policy, random, rule, nothing. */
  agent: string;
  /** Version the flow ran with. */
  policy_version: number;
  /** Newest committed version when the request was sent. */
  dispatch_version: number;
  steps: number;
  tool_errors: number;
  /** done, step_limit, no_action, token_limit; empty when it failed. */
  termination: string;
  /** Failure class (tool_timeout, flow_crash ...); empty when the trajectory is valid. */
  failure: string;
  failure_message: string;
  /** Times this member was sampled again after an infrastructure failure. */
  resamples: number;
  /** The flow's own outcome reward, before shaping. */
  outcome: number;
  /** Weighted sum of the components. */
  reward: number;
  advantage: number;
  success: boolean;
  /** False for failed trajectories: their reward and advantage mean nothing. */
  valid: boolean;
  /** Of the group: signal, no_signal, failed. */
  verdict: string;
  /** Reward components by name. */
  components: Readonly<Record<string, number>>;
  /** What the generator left for the reward, as JSON text; cut after {@link MAX_TEXT} characters. */
  answer: string;
  /** Node that ran the flow. */
  node: string;
  /** Node that scored it. */
  reward_node: string;
  dispatched_at: Micros;
  started_at: Micros;
  ended_at: Micros;
  scored_at: Micros;
  /** What kind of task it is, when the flow says so (`FlowDefinition.type`). Default empty. */
  task_type?: string;
  /** Microseconds in the planner and in tools, over all steps. Default 0. */
  plan_us?: number;
  tool_us?: number;
  /** What the flow's tools and its reward say they used, resampled attempts included. Default 0. */
  tokens_in?: number;
  tokens_out?: number;
  /** Millionths of a US dollar; column `cost` has the same in dollars. */
  micro_dollars?: number;
  /** Of live tasks: the policy, `<job>@<version>`, and the experiment that it was served in with its arm. Default: the encoded row ends before. */
  adapter?: string;
  experiment?: string;
  arm?: string;
}

/** One committed round. Key: (job, version). Group counts are of this round. */
export interface UpdateRow {
  job: string;
  /** The version the round made. */
  version: number;
  groups: number;
  trained: number;
  filtered: number;
  expired: number;
  failed: number;
  trajectories: number;
  decisions: number;
  /** Mean, standard deviation (of the sample) and largest of the rewards of the round's trajectories. */
  reward_mean: number;
  reward_std: number;
  reward_max: number;
  success_mean: number;
  /** Staleness in versions. */
  staleness_mean: number;
  staleness_max: number;
  loss: number;
  entropy: number;
  kl: number;
  clip_fraction: number;
  gradient_norm: number;
  learning_rate: number;
  /** Milliseconds the round waited for scored groups. */
  wait_groups_ms: number;
  compute_ms: number;
  commit_ms: number;
  round_ms: number;
  learners: number;
  shards: number;
  committed_at: Micros;
  /** What the training method logs, by name: means over the round's decisions. */
  metrics: Readonly<Record<string, number>>;
}

/** One measurement of one planner on the held-out tasks. Key: (job, name, policy_version). */
export interface EvaluationRow {
  job: string;
  /** trained, untrained, random, do-nothing, rule, sampled; on the test tasks test-trained, test-untrained, test-rule, test-sampled. */
  name: string;
  policy_version: number;
  tasks: number;
  successes: number;
  /** Flows that failed for infrastructure reasons: in no rate. */
  failed: number;
  mean_reward: number;
  mean_steps: number;
  /** 95 % confidence interval of the success rate. */
  ci_low: number;
  ci_high: number;
  /** Trajectories trained on until policy_version. */
  trajectories: number;
  train_seconds: number;
  evaluated_at: Micros;
  /** Figures by name, and their 95 % intervals as `<name>_low` and `<name>_high`. */
  metrics: Readonly<Record<string, number>>;
}

/** Something that happened to a job. Key: (job, id). */
export interface JobEventRow {
  job: string;
  /** Unique in the job; the same event has the same id when it is sent again. */
  id: string;
  kind: string;
  message: string;
  node: string;
  /** Details as JSON text. */
  data: string;
  at: Micros;
}

/** What a job was charged in a calendar month. Key: (job, owner, month). */
export interface SpendingRow {
  job: string;
  owner: string;
  /** Like `2026-11`, in UTC. */
  month: string;
  /** Settled, in millionths of a US dollar. */
  micro_dollars: number;
  tokens: number;
  /** When the ledger was read. */
  at: Micros;
}

/** A training job as its record said at a time. Key: job; of several rows the latest holds. */
export interface TrainingJobRow {
  job: string;
  owner: string;
  /** QUEUED, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELLED. */
  state: string;
  /** Its flow, as the job file names it. */
  flow: string;
  /** Training method: `algorithm.name`. */
  method: string;
  /** Policy kind. */
  policy: string;
  seed: number;
  /** Rounds that it is to train. */
  rounds: number;
  priority: number;
  created_at: Micros;
  started_at: Micros;
  ended_at: Micros;
  /** What went wrong, when it failed. */
  error: string;
  /** What its first weights are from; empty when they were new. */
  from_checkpoint: string;
  /** Digest of its code and data; empty in serial mode. */
  code: string;
  /** Its settings as JSON text. */
  config: string;
  /** Versions whose checkpoints are kept now. */
  checkpoints: readonly number[];
  /** The version with the best held-out success among those, -1 while none was measured. */
  best_checkpoint: number;
  /** When a coordinator saw it so. */
  at: Micros;
}

/** A checkpoint that was written. Key: (job, version); of several rows the one that was written last holds. */
export interface PolicyCheckpointRow {
  job: string;
  /** Policy version. */
  version: number;
  /** SHA-256 of its manifest. */
  digest: string;
  /** Of all its files. */
  bytes: number;
  written_at: Micros;
}

/** What exploration knew at a version. Key: (job, version, kind, bucket, tool, task). */
export interface ExplorationRow {
  job: string;
  version: number;
  /**
   * tool: success of the trajectories that used the tool in the state bucket; value: SARSA value of the tool there; task:
   * success on the task; temperature: what rollout.temperature is multiplied by.
   */
  kind: 'tool' | 'value' | 'task' | 'temperature';
  /** State bucket; 0 for tasks and the temperature. */
  bucket: number;
  /** Empty for tasks and the temperature. */
  tool: string;
  /** Empty for all but tasks. */
  task: string;
  /** Discounted observations: trajectories (tool, task) or steps (value). */
  n: number;
  mean: number;
  /** Confidence bounds of the mean; the mean itself where there are none. */
  lower: number;
  upper: number;
  /** When the version was committed. */
  at: Micros;
}

/** The row type of each table. */
export interface Rows {
  steps: StepRow;
  trajectories: TrajectoryRow;
  updates: UpdateRow;
  evaluations: EvaluationRow;
  job_events: JobEventRow;
  exploration: ExplorationRow;
  spending: SpendingRow;
  training_jobs: TrainingJobRow;
  policy_checkpoints: PolicyCheckpointRow;
  experiment_outcomes: ExperimentOutcomeRow;
  experiment_decisions: ExperimentDecisionRow;
  calls: CallRow;
}

/** Longer texts (arguments, result, answer, messages) are cut: one row must never fill a message. */
export const MAX_TEXT = 4000;

/** What a table's lines hold. */
export interface TableShape {
  /** Column names in the order of the encoded line. */
  readonly columns: readonly string[];
  /** Positions in `columns` of the natural key. */
  readonly key: readonly number[];
  /** What rows are sorted by on disk: the natural key, and `round`, which follows from it. */
  readonly order: string;
  /**
   * The newest columns, with what they hold in rows that end before them: those that were encoded by an older build, and those that have
   * nothing to say there.
   */
  readonly added: Readonly<Record<string, unknown>>;
  /** Position of the column by which the newest of several rows of a key is told; undefined: it is the one that was inserted last. */
  readonly newest: number | undefined;
}

const shape = (
  columns: string,
  key: string,
  order = key,
  { added = {}, newest }: { added?: TableShape['added']; newest?: string } = {},
): TableShape => {
  const names = columns.trim().split(/\s+/);
  const positions = key.split(' ').map((name) => names.indexOf(name));
  const by = newest === undefined ? undefined : names.indexOf(newest);
  return { columns: names, key: positions, order: order.replaceAll(' ', ', '), added, newest: by };
};

/** Column order and natural key of every table; the migrations are tested against it. */
export const TABLES: Readonly<Record<TableName, TableShape>> = {
  steps: shape(
    `job trajectory_id request_id task_id purpose evaluation policy_version step tool items arguments result error
     log_probability entropy open_actions plan_us tool_us started_at state_flags_base64 decision mistake text
     tokens_in tokens_out prompt tokens state_before state_after verified other_actions other_probabilities step_reward
     advantage messages further_calls token_log_probabilities`,
    'job trajectory_id step',
    'job round trajectory_id step',
    {
      added: {
        ...{ decision: 'choice', mistake: '', text: '', tokens_in: 0, tokens_out: 0, prompt: [], tokens: [] },
        ...{ state_before: '', state_after: '', verified: false, other_actions: [], other_probabilities: [] },
        ...{ step_reward: null, advantage: null, messages: '', further_calls: [], token_log_probabilities: [] },
      },
    },
  ),
  trajectories: shape(
    `job trajectory_id request_id sequence member task_id purpose evaluation agent policy_version dispatch_version steps
     tool_errors termination failure failure_message resamples outcome reward advantage success valid verdict components
     answer node reward_node dispatched_at started_at ended_at scored_at task_type plan_us tool_us tokens_in tokens_out cost
     micro_dollars adapter experiment arm`,
    'job trajectory_id',
    'job round trajectory_id',
    {
      added: {
        ...{ task_type: '', plan_us: 0, tool_us: 0, tokens_in: 0, tokens_out: 0, cost: 0, micro_dollars: 0 },
        ...{ adapter: '', experiment: '', arm: '' },
      },
    },
  ),
  updates: shape(
    `job version groups trained filtered expired failed trajectories decisions reward_mean success_mean staleness_mean
     staleness_max loss entropy kl clip_fraction gradient_norm learning_rate wait_groups_ms compute_ms commit_ms round_ms
     learners shards committed_at metrics reward_std reward_max`,
    'job version',
    'job version',
    { added: { reward_std: 0, reward_max: 0 } },
  ),
  evaluations: shape(
    `job name policy_version tasks successes failed mean_reward mean_steps ci_low ci_high trajectories train_seconds
     evaluated_at metrics`,
    'job name policy_version',
    'job name policy_version',
    { added: { metrics: {} } },
  ),
  job_events: shape('job id kind message node data at', 'job id'),
  exploration: shape('job version kind bucket tool task n mean lower upper at', 'job version kind bucket tool task'),
  spending: shape('job owner month micro_dollars tokens at', 'job owner month'),
  training_jobs: shape(
    `job owner state flow method policy seed rounds priority created_at started_at ended_at error from_checkpoint code config
     checkpoints best_checkpoint at`,
    'job',
    'job',
    { newest: 'at' },
  ),
  policy_checkpoints: shape('job version digest bytes written_at', 'job version', 'job version', { newest: 'written_at' }),
  experiment_outcomes: shape(
    'job experiment ordinal trajectory_id agent adapter arm unit reward paired_with served_at recorded_at',
    'job experiment ordinal trajectory_id',
  ),
  experiment_decisions: shape(
    `job experiment agent champion candidate kind decided_by reason wins losses ties units evidence threshold alpha
     decided_at`,
    'job experiment',
  ),
  calls: shape(CALL_COLUMNS, 'job trajectory_id call_id', 'job trajectory_id call_id', { newest: 'at' }),
};

/** Every table, in a fixed order. */
export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];
