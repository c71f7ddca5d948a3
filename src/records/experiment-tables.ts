/** The reward of a live task. Key: (job, experiment, ordinal, trajectory_id). */
export interface ExperimentOutcomeRow {
  /** Job of the candidate; of the policy that was served where there is no experiment. */
  job: string;
  /** Empty where the task was served in none. */
  experiment: string;
  /** Position among the outcomes that the experiment has counted, from 1; 0 for one that counts for nothing. */
  ordinal: number;
  trajectory_id: string;
  agent: string;
  /** The policy that was served, `<job>@<version>`. */
  adapter: string;
  /** champion or candidate; empty outside of experiments. */
  arm: string;
  /** Hash of the sticky key. */
  unit: string;
  reward: number;
  /** Ordinal of the earlier outcome that it was compared with; 0 when it waited for one. */
  paired_with: number;
  /** Unix time in microseconds. */
  served_at: number;
  /** Unix time in microseconds. */
  recorded_at: number;
}

/** How an experiment ended, with the numbers of that moment. Key: (job, experiment). */
export interface ExperimentDecisionRow {
  /** Job of the candidate. */
  job: string;
  experiment: string;
  agent: string;
  champion: string;
  candidate: string;
  /** promote, rollback, inconclusive or stop. */
  kind: string;
  /** rule or person. */
  decided_by: string;
  reason: string;
  wins: number;
  losses: number;
  ties: number;
  /** Outcomes counted by then. */
  units: number;
  evidence: number;
  threshold: number;
  alpha: number;
  /** Unix time in microseconds. */
  decided_at: number;
}
