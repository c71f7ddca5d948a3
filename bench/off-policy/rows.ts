/** One row of the table: how a job is trained, and how stale its groups are made. */
export interface OffPolicyRow {
  label: string;
  algorithm: Readonly<Record<string, unknown>>;
  /** η. */
  maxStaleness: number;
}

/** Updates of a round: several, so that the policy moves while a group waits. */
const UPDATES = { epochs: 2, miniBatches: 2 };

/** No ratio at all is taken to the policy that acted: every ratio counts as 1. */
const AS_IF_ON_POLICY = { correction: { kind: 'mask', low: 0, high: 1000 } };

/**
 * Two families, each with its synchronous form first. `naive`: the clipped surrogate's ratio is to the policy that acted, however
 * old. `uncorrected`: groups are taken as if the policy at the start of the round had acted.
 */
export function offPolicyRows(staleness: number): OffPolicyRow[] {
  const eta = `η = ${staleness}`;
  const [ppo, grpo] = [
    { name: 'ppo', ...UPDATES },
    { name: 'grpo', ...UPDATES },
  ];
  return [
    { label: 'ppo, η = 0', algorithm: ppo, maxStaleness: 0 },
    { label: `ppo, ${eta}, naive`, algorithm: ppo, maxStaleness: staleness },
    { label: `decoupled-ppo, ${eta}`, algorithm: { ...ppo, name: 'decoupled-ppo', value: {} }, maxStaleness: staleness },
    { label: 'grpo, η = 0', algorithm: grpo, maxStaleness: 0 },
    { label: `grpo, ${eta}, naive`, algorithm: grpo, maxStaleness: staleness },
    { label: `grpo, ${eta}, uncorrected`, algorithm: { ...grpo, ...AS_IF_ON_POLICY }, maxStaleness: staleness },
    {
      label: `grpo, ${eta}, truncated importance sampling`,
      algorithm: { ...grpo, correction: { kind: 'truncate', level: 'decision' } },
      maxStaleness: staleness,
    },
  ];
}
