import { schedulerSchema, type SchedulerConfig } from '../../src/config/scheduler.ts';
import { MillraceError } from '../../src/errors.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { watchNodes, type NodeList } from '../runtime/nodes.ts';
import { BudgetBook } from './budget-book.ts';
import { keepBudgets, keepSettings, type MoneySettings } from './budget-keeper.ts';
import { JobActors } from './job-actors.ts';
import { DispatchLimits } from './scheduler/dispatch-limits.ts';
import { keepJobRows } from './job-rows.ts';
import { PlaceList } from './scheduler/place-list.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { keepTopology } from './topology-keeper.ts';
import type { CountStored } from './unstored-groups.ts';
import { keepDeletingUnused } from './unused-artifacts.ts';
import { runSchedules, type CountRows } from './schedule-runner.ts';
import { endLostRequests } from './lost-requests.ts';
import { agentDirectory } from '../jobs/agents.ts';
import { ExperimentDirectory } from '../jobs/experiments.ts';
import { ExperimentKeeper } from '../admin/serving/keeper.ts';
import { keepRegistryFile } from './serving/registry-file.ts';

/** Options of the coordinator role. */
export interface CoordinatorOptions {
  /** Which jobs run at the same time; the same for all coordinators. Default: what {@link schedulerSchema} says. */
  scheduler?: SchedulerConfig | undefined;
  /** Nodes that are alive. Default: they are followed here. */
  nodes?: NodeList | undefined;
  /** What owners may spend, and what calls cost. Default: what was written before, else 100 dollars a month and no prices. */
  money?: MoneySettings | undefined;
  /** Asks the store which groups it has. Default: nobody does, and what was lost with a stream is not counted. */
  countStored?: CountStored | undefined;
  /** Asks the store how many rows there are. Default: nobody does, and schedules that wait for rows create no jobs. */
  countRows?: CountRows | undefined;
  /** How often it looks for streams, buckets and durables that are gone, in ms. Default 1000. */
  lookMs?: number;
}

const SCAN_MS = 500;

/**
 * A coordinator runs one actor for each job whose lease it holds. Queued jobs are started when the scheduler gives them a place.
 * Any number of coordinators may stand by: when one dies its leases expire and another resumes each job from its frontier.
 */
export async function startCoordinator(context: NodeContext, options: CoordinatorOptions = {}): Promise<Role> {
  const { bus, clock, jobs, log } = context;
  const { countStored, countRows, lookMs, money, scheduler: settings = schedulerSchema.parse({}) } = options;
  const nodes = options.nodes ?? (await watchNodes(bus));
  const places = new PlaceList(bus);
  await places.ready();
  const scheduler = new Scheduler(context, { nodes, places, settings });
  const onRoom = (job: string): void => coordinated.roomFor(job);
  const limits = new DispatchLimits(context, { nodes, owners: settings.owners, onRoom });
  const budgets = new BudgetBook(context);
  const stopSettings = money && (await keepSettings(context, budgets, money));
  const coordinated = new JobActors(context, { places, limits, budgets, countStored });
  const stopLost = await endLostRequests(context);
  const unused = keepDeletingUnused(context);
  const stopBudgets = keepBudgets(context, budgets);
  const stopKeeping = keepTopology(context, () => coordinated.ids, lookMs);
  const stopSchedules = await runSchedules(context, countRows);
  const agents = agentDirectory(context);
  const stopExperiments = new ExperimentKeeper({ ...context, agents, experiments: new ExperimentDirectory(bus) }).start();
  const stopRegistry = await keepRegistryFile(context);
  const guard = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => log.error({ err: MillraceError.from(error) }, 'coordinator; it tries again'));
  const stopScan = clock.every(SCAN_MS, () => {
    void guard(scheduler.decide());
    return guard(coordinated.scan());
  });
  const stopChanges = jobs.onChange((entry) => {
    const { state } = entry.record;
    if (isEnded(state)) unused.soon();
    if (state !== 'RUNNING') void guard(scheduler.decide());
    // At once: a failed job may be resumed soon, and needs an actor that has not ended.
    void guard(coordinated.changed(entry));
  });
  const stopRows = keepJobRows(context);
  const stopPlaces = places.onChange(() => void guard(coordinated.placed()));

  return {
    name: 'coordinator',
    async stop() {
      stopChanges();
      stopScan();
      unused.stop();
      stopKeeping();
      stopExperiments();
      await stopRegistry();
      stopPlaces();
      await scheduler.stop();
      limits.close();
      await stopSchedules();
      stopBudgets();
      stopSettings?.();
      await coordinated.stop();
      await stopRows();
      budgets.close();
      await stopLost();
      places.close();
      if (options.nodes === undefined) nodes.close();
    },
  };
}
