import { clusterConfigSchema } from '../../src/config/cluster.ts';
import type { JobConfig } from '../../src/config/job.ts';
import type { Random } from '../../src/random/random.ts';
import type { MoneySettings } from '../coordinator/budget-keeper.ts';

/** One run in so many has calls that cost money. */
const PAID = 10;
/** US dollars that a run spends some of: a job without faults costs about 0.4. */
const LEAST = 0.05;
const MOST = 0.5;

/** What is called: the tools of the flow, and its reward. */
export type PaidService = 'green' | 'blue' | 'red' | 'reward';

/** Reserved before a call, in US dollars: prices of tools. */
const PRICES: Readonly<Partial<Record<PaidService, number>>> = { green: 0.01, blue: 0.004 };
/** What a call says that it cost, in US dollars; the others cost their price. */
const REPORTED: Readonly<Partial<Record<PaidService, number>>> = { blue: 0.003, red: 0.002, reward: 0.0005 };

/** The money of a run. */
export interface MoneyPlan {
  /** What the configuration of the cluster says. */
  settings: MoneySettings;
  /** What each job may spend, in US dollars. Default: no limit of its own. */
  ofJob?: number;
}

/** Draws whether calls cost something, and which budget is too small for them: the owner's, the job's, or none. */
export function planMoney(random: Random): MoneyPlan | undefined {
  if (random.integer(PAID) !== 0) return undefined;
  const small = LEAST + (MOST - LEAST) * random.uniform();
  const which = random.integer(3);
  const budgets = { monthlyDollars: which === 0 ? small : 100 };
  const settings = clusterConfigSchema.parse({ budgets, prices: { tools: PRICES } });
  return { settings, ...(which === 1 && { ofJob: small }) };
}

/** The job's configuration in a run with this money. */
export function withBudget(config: JobConfig, money: MoneyPlan | undefined): JobConfig {
  return money?.ofJob === undefined ? config : { ...config, budget: { dollars: money.ofJob } };
}

/** What a call reports that it cost, in US dollars; undefined for one that says nothing. */
export function reportedCost(service: PaidService): number | undefined {
  return REPORTED[service];
}

/** Micro-dollars of the calls of a run, as those who were called know them. */
export class PaidCalls {
  /** Of calls for which money was set aside: what those that were answered cost, and the largest cost of those that were not. */
  reserved = 0;
  /** Of answered calls for which nothing was set aside. */
  unreserved = 0;
  /** Called when a call begins for which money was set aside. */
  onBegin: () => void = () => {};

  /** A call begins. Returns what is to be called when it is answered, or refused. */
  begin(service: PaidService): { answered(): void; refused(): void } {
    const price = micros(PRICES[service]);
    const cost = micros(REPORTED[service] ?? PRICES[service]);
    this.reserved += price;
    if (price > 0) this.onBegin();
    return {
      answered: () => {
        if (price > 0) this.reserved += cost - price;
        else this.unreserved += cost;
      },
      refused: () => void (this.reserved -= price),
    };
  }
}

function micros(dollars = 0): number {
  return Math.round(dollars * 1e6);
}
