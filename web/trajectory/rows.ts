import { quote } from '../api/rpc.ts';

/** What a trajectory came to. */
export interface HeadRow extends Record<string, unknown> {
  job: string;
  trajectory_id: string;
  request_id: string;
  task_id: string;
  policy_version: number;
  dispatch_version: number;
  steps: number;
  tool_errors: number;
  termination: string;
  failure: string;
  failure_message: string;
  outcome: number;
  reward: number;
  advantage: number;
  success: boolean;
  valid: boolean;
  verdict: string;
  components: Record<string, number>;
  answer: string;
}

/** A step with the state before it. */
export interface StepRow extends Record<string, unknown> {
  step: number;
  state: string;
  state_after: string;
  wrote: string;
  tool: string;
  arguments: string;
  result: string;
  error: boolean;
  mistake: string;
  verified: boolean;
  probability: number;
  entropy: number;
  open_actions: number;
  other_actions: string[];
  other_probabilities: number[];
  step_reward: number | null;
  advantage: number | null;
  plan_us: number | string;
  tool_us: number | string;
}

/** The statement of a trajectory's row. */
export function headSql(job: string, id: string): string {
  return `SELECT job, trajectory_id, request_id, task_id, policy_version, dispatch_version, steps, tool_errors, termination, failure,
  failure_message, outcome, reward, advantage, success, valid, verdict, components, answer
FROM trajectories
WHERE job = ${quote(job)} AND trajectory_id = ${quote(id)}
LIMIT 1`;
}

/** The statement of its steps. */
export function stepsSql(job: string, id: string): string {
  const which = `job = ${quote(job)} AND trajectory_id = ${quote(id)}`;
  return `SELECT s.step AS step, ifNull(t.state_before, '') AS state, ifNull(t.state_after, '') AS state_after,
  if(s.decision = 'generated', s.text, '') AS wrote, tool, arguments, result, error, mistake, verified,
  exp(log_probability) AS probability, entropy, open_actions, other_actions, other_probabilities, step_reward, s.advantage AS advantage,
  plan_us, tool_us
FROM steps AS s
LEFT JOIN (SELECT step, state_before, state_after FROM step_states WHERE ${which}) AS t ON t.step = s.step
WHERE s.${which.replace(' AND ', ' AND s.')}
ORDER BY step`;
}
