import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeExperiment, encodeExperiment, type Experiment } from '../../src/jobs/experiments/experiment.ts';
import { EXPERIMENTS } from '../../src/protocol/names.ts';

const MAX_CAS_ATTEMPTS = 20;

/** The experiments of the cluster as bucket `experiments` holds them. */
export class ExperimentDirectory {
  readonly #bus: Bus;
  /** Changes of this process to one experiment are made one after the other: they would only refuse each other. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** By id. What cannot be read is left out: `millrace doctor` shows it. */
  async list(): Promise<Experiment[]> {
    const kv = this.#bus.kv(EXPERIMENTS);
    const found = await Promise.all((await kv.keys()).sort().map((key) => kv.get(key)));
    return found.flatMap((entry) => {
      try {
        return entry ? [decodeExperiment(entry.value, entry.key)] : [];
      } catch {
        return [];
      }
    });
  }

  /** Undefined when there is none, and the error of {@link decodeExperiment}. */
  async find(id: string): Promise<Experiment | undefined> {
    const entry = await this.#bus.kv(EXPERIMENTS).get(id);
    return entry && decodeExperiment(entry.value, id);
  }

  /** `not_found` when there is none, and the error of {@link decodeExperiment}. */
  async get(id: string): Promise<Experiment> {
    const found = await this.find(id);
    if (found !== undefined) return found;
    throw missing(id);
  }

  /** `already_exists` when the id is taken. */
  async create(experiment: Experiment): Promise<void> {
    await this.#bus
      .kv(EXPERIMENTS)
      .create(experiment.id, encodeExperiment(experiment))
      .catch((thrown: unknown) => {
        if (MillraceError.from(thrown).code !== 'already_exists') throw thrown;
        throw new MillraceError('already_exists', `There is an experiment "${experiment.id}" already; choose another id.`, {
          field: 'id',
        });
      });
  }

  /** Takes away one that nobody is to hear of. */
  async remove(id: string): Promise<void> {
    await this.#bus.kv(EXPERIMENTS).delete(id);
  }

  /** Compare-and-set: `change` gets the newest and returns the new one, or the same to leave it. */
  update(id: string, change: (experiment: Experiment) => Experiment): Promise<Experiment> {
    const turn = (this.#last.get(id) ?? Promise.resolve()).then(() => this.#update(id, change));
    const settled = turn.catch(() => undefined);
    this.#last.set(id, settled);
    void settled.then(() => this.#last.get(id) === settled && this.#last.delete(id));
    return turn;
  }

  async #update(id: string, change: (experiment: Experiment) => Experiment): Promise<Experiment> {
    const kv = this.#bus.kv(EXPERIMENTS);
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const entry = await kv.get(id);
      if (!entry) throw missing(id);
      const before = decodeExperiment(entry.value, id);
      const next = change(before);
      if (next === before) return before;
      try {
        await kv.update(id, encodeExperiment(next), entry.revision);
        return next;
      } catch (error) {
        if (MillraceError.from(error).code !== 'aborted') throw error;
      }
    }
    throw new MillraceError('aborted', `Experiment "${id}" kept changing while it was being updated; try again.`);
  }
}

function missing(id: string): MillraceError {
  const message = `There is no experiment "${id}". \`millrace experiment list\` shows the experiments.`;
  return new MillraceError('not_found', message, { field: 'id' });
}
