import { chooseTask, taskProbabilities } from '../../src/explore/curriculum.ts';
import { decodeState, emptyState, type ExplorationState } from '../../src/explore/state.ts';
import { temperatureAt } from '../../src/explore/temperature.ts';
import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { hasEnded } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { RequestTask } from '../../src/jobs/requests.ts';
import { seededRandom, seedFrom } from '../../src/random/seeded.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { TaskPlan } from '../jobs/tasks.ts';

/** Tasks of requests under way, by sequence: what the job record keeps of the curriculum. */
type ChosenTasks = NonNullable<JobRecord['tasks']>;

/**
 * Which task a job's next requests are about, and at which temperature they are sampled. Without curriculum every task once an
 * epoch, by the sequence alone. With it the choice depends on what a policy version knew, so it is written into the job's record
 * with `accepted`, before anything is sent: a request sent again is about the same task.
 */
export class TaskChoice {
  readonly #context: NodeContext;
  readonly #config: JobRecord['config'];
  readonly #tasks: TaskPlan;
  readonly #byId: ReadonlyMap<string, number>;
  /** What the version of the newest manifest that was looked at knew. */
  #state: ExplorationState = emptyState();
  #known = -1;

  constructor(context: NodeContext, config: JobRecord['config'], tasks: TaskPlan) {
    this.#context = context;
    this.#config = config;
    this.#tasks = tasks;
    // Only a curriculum looks tasks up, and there may be a million.
    this.#byId = new Map(config.curriculum.enabled ? tasks.train.map(({ id }, index) => [id, index]) : []);
  }

  /** The job chooses its tasks by their records. */
  get curriculum(): boolean {
    return this.#config.curriculum.enabled;
  }

  /** Learns what the version knows, where that is needed. A version that is no longer kept leaves what was known before. */
  async follow(manifest: WeightManifest): Promise<void> {
    const needed = this.curriculum || this.#config.exploration.temperature.schedule === 'entropy';
    if (!needed || manifest.version === this.#known) return;
    try {
      this.#state = manifest.exploration ? decodeState(await this.#context.weights.fetch(manifest, 'exploration')) : emptyState();
      this.#known = manifest.version;
    } catch (thrown) {
      // The next manifest is on its way.
      if (MillraceError.from(thrown).code !== 'not_found') throw thrown;
    }
  }

  /** Sampling temperature of a request that is sent at this version. */
  temperatureAt(version: number): number {
    const { exploration, rollout, rounds } = this.#config;
    const { temperature: multiplier } = this.#state;
    return temperatureAt(exploration.temperature, { base: rollout.temperature, round: version, rounds, multiplier });
  }

  /** The tasks to keep in the record: those still open, and one for each new sequence. Undefined without curriculum. */
  choose(sequences: readonly number[], record: JobRecord, manifest: WeightManifest): ChosenTasks | undefined {
    if (!this.curriculum) return undefined;
    const { train } = this.#tasks;
    const { curriculum, rollout } = this.#config;
    const chosen: ChosenTasks = {};
    const taken = new Set<number>();
    for (const [sequence, id] of Object.entries(record.tasks ?? {})) {
      if (manifest.ledger && hasEnded(manifest.ledger, Number(sequence))) continue;
      chosen[sequence] = id;
      const index = this.#byId.get(id);
      if (index !== undefined) taken.add(index);
    }
    const ids = train.map(({ id }) => id);
    const probabilities = taskProbabilities(ids, this.#state, { ...curriculum, groupSize: rollout.groupSize });
    for (const sequence of sequences) {
      // All are under way: they may come again.
      if (taken.size === train.length) taken.clear();
      const index = chooseTask(probabilities, taken, seededRandom(seedFrom(this.#config.seed, 'task', sequence)));
      taken.add(index);
      chosen[sequence] = train[index]!.id;
    }
    return chosen;
  }

  /** The task of a training request. */
  taskFor(sequence: number, record: JobRecord): RequestTask {
    const id = record.tasks?.[sequence];
    const index = id === undefined ? undefined : this.#byId.get(id);
    return index === undefined ? this.#tasks.taskFor(sequence) : this.#tasks.train[index]!;
  }
}
