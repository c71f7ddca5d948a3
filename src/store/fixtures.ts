import type { CallRow } from '../records/call-tables.ts';
import type { ExperimentDecisionRow, ExperimentOutcomeRow } from '../records/experiment-tables.ts';
import type {
  EvaluationRow,
  JobEventRow,
  ExplorationRow,
  PolicyCheckpointRow,
  SpendingRow,
  StepRow,
  TrainingJobRow,
  TrajectoryRow,
  UpdateRow,
} from '../records/tables.ts';

/** Rows for tests; every field can be given. Times are seconds after 2026-01-01. */
export const T0 = Date.UTC(2026, 0, 1) * 1000;

export function stepRow(row: Partial<StepRow> = {}): StepRow {
  return {
    job: 'job',
    trajectory_id: 'job:0:t1:0:0',
    request_id: 'job:0:t1:0',
    task_id: 't1',
    purpose: 'train',
    evaluation: '',
    policy_version: 0,
    step: 0,
    tool: 'find_user',
    items: [1, 2],
    arguments: '{"user":"ann"}',
    result: 'ok',
    error: false,
    log_probability: -0.5,
    entropy: 1.25,
    open_actions: 7,
    plan_us: 1000,
    tool_us: 500,
    started_at: T0,
    ...row,
  };
}

export function trajectoryRow(row: Partial<TrajectoryRow> = {}): TrajectoryRow {
  return {
    job: 'job',
    trajectory_id: 'job:0:t1:0:0',
    request_id: 'job:0:t1:0',
    sequence: 0,
    member: 0,
    task_id: 't1',
    purpose: 'train',
    evaluation: '',
    agent: 'policy',
    policy_version: 0,
    dispatch_version: 0,
    steps: 1,
    tool_errors: 0,
    termination: 'done',
    failure: '',
    failure_message: '',
    resamples: 0,
    outcome: 1,
    reward: 1,
    advantage: 0.5,
    success: true,
    valid: true,
    verdict: 'signal',
    components: { outcome: 1 },
    answer: '{}',
    node: 'rollout-1',
    reward_node: 'reward-1',
    dispatched_at: T0,
    started_at: T0 + 10_000,
    ended_at: T0 + 30_000,
    scored_at: T0 + 35_000,
    task_type: '',
    plan_us: 1000,
    tool_us: 500,
    tokens_in: 0,
    tokens_out: 0,
    micro_dollars: 0,
    ...row,
  };
}

export function updateRow(row: Partial<UpdateRow> = {}): UpdateRow {
  return {
    job: 'job',
    version: 1,
    groups: 8,
    trained: 6,
    filtered: 2,
    expired: 0,
    failed: 0,
    trajectories: 128,
    decisions: 900,
    reward_mean: 0.4,
    reward_std: 0.5,
    reward_max: 1,
    success_mean: 0.4,
    staleness_mean: 0.5,
    staleness_max: 1,
    loss: -0.01,
    entropy: 1.1,
    kl: 0.001,
    clip_fraction: 0.02,
    metrics: { ratio: 1.01 },
    gradient_norm: 0.7,
    learning_rate: 0.003,
    wait_groups_ms: 120,
    compute_ms: 80,
    commit_ms: 9,
    round_ms: 210,
    learners: 2,
    shards: 4,
    committed_at: T0,
    ...row,
  };
}

export function evaluationRow(row: Partial<EvaluationRow> = {}): EvaluationRow {
  return {
    job: 'job',
    name: 'trained',
    policy_version: 40,
    tasks: 100,
    successes: 90,
    failed: 0,
    mean_reward: 0.9,
    mean_steps: 6.5,
    ci_low: 0.82,
    ci_high: 0.95,
    trajectories: 5120,
    train_seconds: 42.5,
    evaluated_at: T0,
    metrics: { success: 0.9, success_low: 0.82, success_high: 0.95 },
    ...row,
  };
}

export function jobEventRow(row: Partial<JobEventRow> = {}): JobEventRow {
  return {
    job: 'job',
    id: 'started',
    kind: 'started',
    message: 'job started',
    node: 'coordinator-1',
    data: '{}',
    at: T0,
    ...row,
  };
}

export function explorationRow(row: Partial<ExplorationRow> = {}): ExplorationRow {
  return {
    job: 'job',
    version: 25,
    kind: 'tool',
    bucket: 7,
    tool: 'get_order',
    task: '',
    n: 31.5,
    mean: 0.62,
    lower: 0.41,
    upper: 0.78,
    at: T0,
    ...row,
  };
}

export function spendingRow(row: Partial<SpendingRow> = {}): SpendingRow {
  return { job: 'job', owner: 'local', month: '2026-11', micro_dollars: 1_250_000, tokens: 900, at: T0, ...row };
}

export function trainingJobRow(row: Partial<TrainingJobRow> = {}): TrainingJobRow {
  return {
    job: 'job',
    owner: 'local',
    state: 'RUNNING',
    flow: './flow.ts',
    method: 'grpo',
    policy: 'planner',
    seed: 1,
    rounds: 300,
    priority: 0,
    created_at: T0,
    started_at: T0 + 1000,
    ended_at: 0,
    error: '',
    from_checkpoint: '',
    code: '',
    config: '{}',
    checkpoints: [0, 40],
    best_checkpoint: 40,
    at: T0 + 2000,
    ...row,
  };
}

export function experimentOutcomeRow(row: Partial<ExperimentOutcomeRow> = {}): ExperimentOutcomeRow {
  return {
    ...{ job: 'job', experiment: 'autumn', ordinal: 2, trajectory_id: `job:2:serve-${'a'.repeat(32)}:1:0`, agent: 'retail' },
    ...{ adapter: 'job@2', arm: 'candidate', unit: 'k3J_w-9q', reward: 1, paired_with: 1, served_at: T0, recorded_at: T0 + 5e6 },
    ...row,
  };
}

export function policyCheckpointRow(row: Partial<PolicyCheckpointRow> = {}): PolicyCheckpointRow {
  return { job: 'job', version: 40, digest: 'a'.repeat(64), bytes: 120_000, written_at: T0, ...row };
}

export function experimentDecisionRow(row: Partial<ExperimentDecisionRow> = {}): ExperimentDecisionRow {
  return {
    ...{ job: 'job', experiment: 'autumn', agent: 'retail', champion: 'job@1', candidate: 'job@2', kind: 'promote' },
    ...{ decided_by: 'rule', reason: 'the candidate is better', wins: 9, losses: 0, ties: 2, units: 23, evidence: 51.2 },
    ...{ threshold: 20, alpha: 0.05, decided_at: T0, ...row },
  };
}

export function callRow(row: Partial<CallRow> = {}): CallRow {
  return {
    ...{ job: 'job', trajectory_id: 'job:session:01', call_id: '01', session: '01', task_id: 't1', experiment: '', arm: '' },
    ...{ status: 'completed', use: 'main', retry_of: '', capture: 'text', endpoint: 'chat.completions', upstream: 'lab' },
    ...{ model: 'small', served_model: 'small-1', weights: '', prompt_digest: 'b'.repeat(64), streamed: true, continues: '' },
    ...{ shared_messages: 0, request: '{"messages":[]}', request_digest: 'c'.repeat(64), request_artifact: '' },
    ...{ response: '{"choices":[]}', response_artifact: '', http_status: 200, error: '', finish_reason: 'stop' },
    ...{ tokens_in: 12, tokens_out: 3, tokens_cached: 0, micro_dollars: 5, first_byte_us: 900, duration_us: 2000 },
    ...{ prompt_tokens: [], tokens: [], token_log_probabilities: [], started_at: T0, ended_at: T0 + 2000, at: T0 + 2000 },
    ...row,
  };
}
