import { MillraceError } from '../../src/errors.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { turnsTaken } from '../../src/clock/turn.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import type { ComputeInfo } from '../../src/compute/backend.ts';
import { SimulatedClient, type ClientPlan } from './client.ts';
import { planJobs, type JobsPlan } from './companions.ts';
import { nodesOf, SimulatedCluster, type WorkerCounts } from './cluster.ts';
import { planFaults, type FaultPlan } from './faults/plan.ts';
import { scheduleFaults } from './faults/timed.ts';
import { Invariants } from './invariants/invariants.ts';
import { checkWeights, finalWeights } from './invariants/weights.ts';
import type { SimulatedJob } from './job.ts';
import { PaidCalls, planMoney, withBudget } from './money.ts';
import { Violation } from './observer.ts';
import { SimulatedService, withService } from './service.ts';
import type { TraceEvent } from './trace.ts';
import { onUnhandledRejection } from './unhandled-rejection.ts';
import { World } from './world.ts';

/** How long a job may take once nothing goes wrong any more, in virtual ms. */
const CALM_MS = 900_000;
/** What a job takes to end after its last evaluation, in virtual ms. */
const END_MS = 15;
/** What a coordinator takes to send requests that it has just admitted, at most, unless their stream is full. */
const ADMISSION_MS = 20;
/** When a job is cancelled at the latest, in virtual ms. */
const LATEST_CANCEL_MS = 8_000;
/** Events of a run at most; one that has more is inconclusive. */
const MAX_EVENTS = 200_000;
/** Looks at the jobs beside the one that a run is about. */
const NOBODY = { looked: (): void => {}, viewed: (): void => {} };

/** What {@link simulate} needs besides the seed. */
export interface SimulationOptions {
  /** The jobs that a seed chooses one of. */
  jobs: readonly SimulatedJob[];
  compute: ComputeInfo;
  /** Nodes of the roles of which there are several. Default: drawn from the seed. */
  workers?: WorkerCounts;
  /** Default: drawn from the seed. */
  plan?: FaultPlan;
  /** Faults that may strike, by id. Default: all. */
  only?: ReadonlySet<string>;
  /** Keeps every event. Default false. */
  trace?: boolean;
  log?: Logger;
}

/** What became of a run. */
export interface SimulationResult {
  seed: number;
  /** The job that ran, for people. */
  job: string;
  outcome: 'passed' | 'failed' | 'inconclusive';
  /** The invariant that broke. */
  invariant?: string;
  reason?: string;
  /** Hash of everything that happened. */
  hash: string;
  events: number;
  /** Virtual seconds that it took. */
  seconds: number;
  /** How often each kind of fault struck. */
  faults: Record<string, number>;
  /** Ids of the faults that struck, in order: what `only` takes. */
  struck: string[];
  /** States that were seen. */
  seen: string[];
  plan: FaultPlan;
  /** Of the newest version, when the job succeeded. */
  weights?: Float32Array;
  /** Everything that happened; with `trace` only. */
  trace?: TraceEvent[];
}

/** Runs a job on a whole cluster in this process, with the faults that the seed chooses, and checks every promise at every event. */
export async function simulate(seed: number, options: SimulationOptions): Promise<SimulationResult> {
  const run = await prepare(seed, options);
  const { job, jobs, plan, world, cluster, service, invariants, clientPlan } = run;
  const stopListening = onUnhandledRejection((thrown) =>
    invariants.fail(new Violation('no-unhandled-rejection', describe(thrown))),
  );
  let weights: Float32Array | undefined;
  const work = async (): Promise<void> => {
    cluster.start();
    scheduleFaults(world, cluster, options.only);
    const client = new SimulatedClient(world, cluster);
    const others = jobs.others.map(async ({ id, at, options: create }) => {
      await world.clock.sleep(at);
      invariants.otherEnded(await client.run(id, job.config, { create }, NOBODY));
    });
    const [ended] = await Promise.all([client.run('job', job.config, clientPlan, invariants), ...others]);
    await invariants.jobEnded(ended, { cancelled: clientPlan.cancelAt !== undefined });
    if (ended.state !== JobState.SUCCEEDED) return;
    weights = await finalWeights(world, 'job');
    if (job.reference && isRepeatable(ended, world)) checkWeights(weights, job.reference);
  };
  try {
    const ended = Promise.race([work(), invariants.broken, deadline(world, plan.endsAt + CALM_MS), tooLong(world)]);
    const outcome = await withService(service, () => world.clock.run(ended).finally(() => quit(cluster)));
    return outcome === 'too long'
      ? resultOf(run, 'inconclusive', { invariant: 'step-limit', reason: `more than ${MAX_EVENTS} events` })
      : { ...resultOf(run, 'passed'), ...(weights && { weights }) };
  } catch (thrown) {
    const { invariant, message } = thrown instanceof Violation ? thrown : new Violation('no-error', describe(thrown));
    world.recorder.note('faults', 'violation', `${invariant}: ${message}`);
    return resultOf(run, 'failed', { invariant, reason: message });
  } finally {
    await stopListening();
  }
}

/** Ends all processes. What goes on without time and without them, such as flows between two calls, must not call the service of the next run. */
async function quit(cluster: SimulatedCluster): Promise<void> {
  cluster.close();
  await turnsTaken();
}

/** A run that has not begun. */
interface Prepared {
  seed: number;
  job: SimulatedJob;
  plan: FaultPlan;
  jobs: JobsPlan;
  clientPlan: ClientPlan;
  world: World;
  cluster: SimulatedCluster;
  service: SimulatedService;
  invariants: Invariants;
}

/** Draws everything of a run that its seed decides. */
async function prepare(seed: number, options: SimulationOptions): Promise<Prepared> {
  const { jobs, workers, only, trace } = options;
  const random = seededRandom(seed);
  const shape = random.fork('cluster');
  const job = jobs[shape.integer(jobs.length)]!;
  // Of a stream of its own: what older seeds draw stays.
  const parameterServers = random.fork('parameter servers').integer(3) === 0 ? 2 : 1;
  const drawn = { coordinators: 1 + shape.integer(2), parameterServers, rollouts: 2, learners: 2 };
  const nodes = nodesOf(workers ?? drawn);
  const ids = nodes.map(({ id }) => id);
  const plan = options.plan ?? planFaults(random.fork('faults'), ids);
  const { runtimes } = job;
  const moneyPlan = planMoney(random.fork('money'));
  const money = moneyPlan && { plan: moneyPlan, calls: new PaidCalls() };
  const config = withBudget(job.config, moneyPlan);
  const jobsPlan = planJobs(random.fork('jobs'));
  const { scheduler } = jobsPlan;
  const { kind, kinds, spec } = await runtimes.get({ id: 'job', config, code: undefined });
  const learner = kind.learner(spec);
  let invariants!: Invariants;
  let service!: SimulatedService;
  const observer = (world: World): Invariants => {
    service = new SimulatedService(world, (violation) => invariants.fail(violation), money?.calls);
    return (invariants = new Invariants({ world, config, service, learner, kinds, scheduler, money }));
  };
  const world = new World({ seed, plan, only, trace, observer });
  const cluster = new SimulatedCluster(nodes, { world, ...options, runtimes, scheduler, money: moneyPlan?.settings });
  const pauses = shape.integer(3) === 0;
  // Half of the pauses come when the job is about to end.
  const atEnd = shape.integer(2) === 0;
  const pauseForMs = 1 + shape.integer(10_000);
  // Some of the others as soon as requests are admitted: they may not have been sent yet.
  const early = random.fork('pause after admission');
  const afterAdmission = early.integer(2) === 0;
  const pause = atEnd
    ? { pauseAfter: invariants.lastEvaluation, pauseAt: shape.uniform() * END_MS, pauseForMs }
    : afterAdmission
      ? { pauseAfter: invariants.admitted(early.integer(3)), pauseAt: early.uniform() * ADMISSION_MS, pauseForMs }
      : { pauseAt: 1 + shape.integer(5_000), pauseForMs };
  const cancel = random.fork('cancel');
  const cancels = cancel.integer(15) === 0;
  const { options: create } = jobsPlan.main;
  const clientPlan = { create, ...(pauses && pause), ...(cancels && { cancelAt: cancel.uniform() * LATEST_CANCEL_MS }) };
  return { seed, job: { ...job, config }, jobs: jobsPlan, plan, clientPlan, world, cluster, service, invariants };
}

function resultOf(
  { seed, job, plan, world: { recorder, clock, faults }, invariants }: Prepared,
  outcome: SimulationResult['outcome'],
  violation?: { invariant: string; reason: string },
): SimulationResult {
  return {
    seed,
    job: job.name,
    outcome,
    ...violation,
    hash: recorder.hash,
    events: recorder.count,
    seconds: clock.monotonic() / 1000,
    faults: Object.fromEntries([...faults.counts].sort()),
    struck: faults.struck,
    seen: invariants.seen(),
    plan,
    ...(recorder.isKept && { trace: recorder.events }),
  };
}

/** Every request was trained on as it was run first. */
function isRepeatable({ progress }: Job, { faults }: World): boolean {
  const { failed, expired } = progress!.ledger!;
  const struckFlows = [...faults.counts.keys()].some((kind) => kind.startsWith('tool-') || kind.startsWith('reward-'));
  return failed === 0n && expired === 0n && !struckFlows;
}

async function deadline(world: World, ms: number): Promise<never> {
  await world.clock.sleep(ms);
  throw new Violation('liveness', `the job has not ended ${CALM_MS / 1000} s after the last fault`);
}

async function tooLong(world: World): Promise<'too long'> {
  while (world.recorder.count < MAX_EVENTS) await world.clock.sleep(10_000);
  return 'too long';
}

function describe(thrown: unknown): string {
  const error = MillraceError.from(thrown);
  return `${error.code}: ${error.message}`;
}
