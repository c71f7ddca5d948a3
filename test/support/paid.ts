import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { clusterConfigSchema } from '../../src/config/cluster.ts';
import type { ClusterConfig } from '../../src/config/cluster.ts';

/** Micro-dollars of a call of flow `paid`. */
const COSTS: Readonly<Record<string, number>> = { search: 10_000, ask: 1_500, judge: 100 };

/** The job of `test/flows/paid.yaml`, whose calls are written down in a file. */
export function paidJob(log: string, overrides: readonly string[] = []): JobConfig {
  const file = fileURLToPath(new URL('../flows/paid.yaml', import.meta.url));
  return loadJobConfig(file, { overrides: [`source.log=${log}`, ...overrides] }).config;
}

/**
 * What cluster.yaml says of money for it.
 *
 * @param ask - price of tool `ask`, in US dollars; default: none, so that nothing is set aside for it
 */
export function paidMoney(monthlyDollars = 100, ask?: number): Pick<ClusterConfig, 'budgets' | 'prices'> {
  const tools = { search: 0.01, ...(ask !== undefined && { ask }) };
  const { budgets, prices } = clusterConfigSchema.parse({ budgets: { monthlyDollars }, prices: { tools } });
  return { budgets, prices };
}

/** What the calls that were made cost, in micro-dollars. */
export function trulySpent(log: string): number {
  const calls = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  return calls.reduce((sum, call) => sum + COSTS[call]!, 0);
}
