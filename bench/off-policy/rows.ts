/** One row of the table: how a job is trained, and how stale its groups are made. */
export interface OffPolicyRow {
  label: string;
  algorithm: Readonly<Record<string, unknown>>;
  /** η. */
  maxStaleness: number;
}

/** PPO's clipped surrogate on advantages of single steps, with eight updates a round, so that the policy moves while a group waits. */
const PPO = { name: 'grpo', epochs: 2, miniBatches: 4, entropy: 0.15, credit: { kind: 'return-to-go', gamma: 0.9 } };

/**
 * One method, with and without corrections. `naive`: the surrogate's ratio is to the policy that acted, however old.
 * `uncorrected`: groups are taken as if the policy at the start of the round had acted; the mask lets every weight be 1.
 */
export function offPolicyRows(staleness: number): OffPolicyRow[] {
  const stale = (name: string, algorithm: Readonly<Record<string, unknown>>): OffPolicyRow => ({
    label: `η = ${staleness}, ${name}`,
    algorithm: { ...PPO, ...algorithm },
    maxStaleness: staleness,
  });
  return [
    { label: 'η = 0', algorithm: PPO, maxStaleness: 0 },
    stale('naive', {}),
    stale('uncorrected', { correction: { kind: 'mask', low: 0, high: 1000 } }),
    stale('decoupled-ppo', { name: 'decoupled-ppo' }),
    // With level: decision and the same cap this would be decoupled-ppo to the last bit.
    stale('truncated importance sampling', { correction: { kind: 'truncate', level: 'trajectory' } }),
  ];
}
