import { at, type Pace } from './pace.ts';

/**
 * Generalised advantage estimation of one trajectory.
 *
 * delta_t = r_t + gamma V_{t+1} - V_t; A_t = delta_t + gamma lambda A_{t+1}. `bootstrap` is the value after the last
 * step, 0 when the trajectory ended; gamma and lambda may differ by step. Returns advantages and value targets A_t + V_t.
 * Source: Schulman et al., arXiv 1506.02438.
 */
export function generalizedAdvantages(
  rewards: readonly number[],
  values: readonly number[],
  { bootstrap, gamma, lambda }: { bootstrap: number; gamma: Pace; lambda: Pace },
): { advantages: number[]; returns: number[] } {
  const advantages = new Array<number>(rewards.length).fill(0);
  let next = bootstrap;
  let running = 0;
  for (let t = rewards.length - 1; t >= 0; t--) {
    const delta = rewards[t]! + at(gamma, t) * next - values[t]!;
    running = delta + at(gamma, t) * at(lambda, t) * running;
    advantages[t] = running;
    next = values[t]!;
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]!) };
}
