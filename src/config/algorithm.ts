import type { AlgorithmConfig } from '../algo/config.ts';
import { algorithmSchema } from '../algo/registry.ts';
import { check } from './problems.ts';

/**
 * The block `algorithm:` of a job, checked and with its defaults filled in; nothing is GRPO.
 * @throws MillraceError invalid_argument: one line a problem, with what is allowed and why; `field` is the first one's.
 */
export function parseAlgorithm(value: unknown = {}): AlgorithmConfig {
  return check(algorithmSchema, value, 'algorithm', () => undefined);
}
