import type { ExplorationConfig } from '../config/job/exploration.ts';

type TemperatureConfig = ExplorationConfig['temperature'];

/**
 * Sampling temperature of a round.
 *
 * - constant: `base`
 * - linear: base + (final − base) · p, with p = round / (rounds − 1) in 0 to 1
 * - cosine: final + (base − final) · (1 + cos πp) / 2
 * - entropy: base · `multiplier`, which {@link nextMultiplier} moves after each round
 *
 * @param round 0-based
 */
export function temperatureAt(
  config: TemperatureConfig,
  { base, round, rounds, multiplier }: { base: number; round: number; rounds: number; multiplier: number },
): number {
  const { schedule, final = base } = config;
  if (schedule === 'constant') return base;
  if (schedule === 'entropy') return base * multiplier;
  const progress = rounds <= 1 ? 0 : Math.min(1, Math.max(0, round / (rounds - 1)));
  if (schedule === 'linear') return base + (final - base) * progress;
  return final + ((base - final) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/**
 * The multiplier after a round whose decisions had the mean entropy `entropy` (nats): a bounded multiplicative controller.
 *
 * multiplier · exp(rate · clamp((target − entropy) / max(target, 0.05), −1, 1)), kept within min / base and max / base.
 *
 * The step is relative to the target and at most `rate`, so that one odd round moves little. Without an entropy (a round
 * without any signal) nothing changes.
 */
export function nextMultiplier(
  config: TemperatureConfig,
  { base, multiplier, entropy }: { base: number; multiplier: number; entropy: number | undefined },
): number {
  const { schedule, target, rate, min, max } = config;
  if (schedule !== 'entropy' || target === undefined || entropy === undefined || !Number.isFinite(entropy)) return multiplier;
  const error = Math.min(1, Math.max(-1, (target - entropy) / Math.max(target, SMALLEST_TARGET)));
  return Math.min(max / base, Math.max(min / base, multiplier * Math.exp(rate * error)));
}

/** A target of 0 must not make every error infinitely large, in nats. */
const SMALLEST_TARGET = 0.05;
