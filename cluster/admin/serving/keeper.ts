import type { Logger } from 'pino';
import type { Bus } from '../../../src/bus/bus.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { MillraceError } from '../../../src/errors.ts';
import { promoted, retired } from '../../../src/jobs/adapters/registry.ts';
import { decided, published, type Experiment } from '../../../src/jobs/experiments/experiment.ts';
import type { AgentDirectory, AgentRecord } from '../../jobs/agents.ts';
import { publishDecision, publishOutcomes } from '../../jobs/experiment-rows.ts';
import type { ExperimentDirectory } from '../../jobs/experiments.ts';
import { served } from './live.ts';

/** What the keeper works with. */
export interface KeeperContext {
  bus: Bus;
  clock: Clock;
  log: Pick<Logger, 'warn'>;
  agents: AgentDirectory;
  experiments: ExperimentDirectory;
}

/** How often all experiments are checked, so that work left by a dead coordinator is finished by another. */
const SCAN_MS = 10_000;
/** An experiment without its agent's tasks after this time was abandoned: the coordinator that created it has died. */
const BEGIN_MS = 60_000;

/**
 * Does what follows from an experiment's record: its outcomes and decision are published as rows, and its decision is carried out in the registry.
 * Everything may be done again by anybody, at any time.
 */
export class ExperimentKeeper {
  readonly #context: KeeperContext;
  /** Experiments that are being settled, and whether they are to be settled once more. */
  readonly #settling = new Map<string, { again: boolean; done: Promise<void> }>();

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  /** Checks all experiments periodically. Returns a function that stops it. */
  start(): () => void {
    void this.scan();
    return this.#context.clock.every(SCAN_MS, () => this.scan());
  }

  /** Settles an experiment, later if that fails. */
  soon(id: string): void {
    const running = this.#settling.get(id);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const entry = { again: false, done: Promise.resolve() };
    this.#settling.set(id, entry);
    entry.done = this.settle(id)
      .catch((thrown: unknown) =>
        this.#context.log.warn(
          { err: MillraceError.from(thrown), experiment: id },
          'an experiment could not be settled; trying again',
        ),
      )
      .finally(() => {
        this.#settling.delete(id);
        if (entry.again) this.soon(id);
      });
  }

  /** Publishes what is to be published and carries out the decision. */
  async settle(id: string): Promise<void> {
    const { bus, agents, experiments } = this.#context;
    const experiment = await experiments.find(id);
    if (experiment === undefined) return;
    const { unpublished, applied, state } = experiment;
    await publishOutcomes(bus, experiment, unpublished.outcomes);
    if (unpublished.decision) await publishDecision(bus, experiment);
    const ended = state !== 'RUNNING';
    if (ended && !applied) {
      await agents
        .update(experiment.agent, (agent) => (agent.experiment === id ? served(carriedOut(agent, experiment)) : agent))
        .catch(ignoreMissing);
    }
    const upTo = unpublished.outcomes.at(-1)?.ordinal ?? 0;
    if (upTo === 0 && !unpublished.decision && ended === applied) return;
    await experiments.update(id, (newest) => {
      const next = published(newest, upTo, unpublished.decision);
      // Who was counted matters to nobody any more.
      return ended ? { ...next, applied: true, tally: { ...next.tally, units: '' } } : next;
    });
  }

  /** Settles whatever is left to be settled. */
  async scan(): Promise<void> {
    const { clock, experiments, log } = this.#context;
    try {
      for (const experiment of await experiments.list()) {
        const { id, state, applied, unpublished, createdAt } = experiment;
        if (state === 'RUNNING' && clock.now() - createdAt > BEGIN_MS) await this.#stopLost(experiment);
        if ((state !== 'RUNNING' && !applied) || unpublished.outcomes.length > 0 || unpublished.decision) this.soon(id);
      }
    } catch (thrown) {
      log.warn({ err: MillraceError.from(thrown) }, 'experiments could not be checked; trying again');
    }
  }

  async #stopLost({ id, agent }: Experiment): Promise<void> {
    const { agents, clock, experiments } = this.#context;
    const holder = await agents.get(agent).catch(ignoreMissing);
    if (holder?.experiment === id) return;
    const reason = `it does not have the tasks of agent "${agent}"`;
    await experiments.update(id, (newest) =>
      newest.state === 'RUNNING' ? decided(newest, { kind: 'stop', by: 'rule', reason, at: Math.round(clock.now()) }) : newest,
    );
    this.soon(id);
  }
}

/** The agent's record after the end of an experiment. */
function carriedOut(agent: AgentRecord, { candidate, champion, decision }: Experiment): AgentRecord {
  const free = { ...agent, experiment: '' };
  if (decision?.kind === 'promote') return promoted(free, candidate, decision.at);
  return decision?.kind === 'rollback' && candidate !== champion ? retired(free, candidate, decision.at) : free;
}

function ignoreMissing(thrown: unknown): undefined {
  if (MillraceError.from(thrown).code !== 'not_found') throw thrown;
}
