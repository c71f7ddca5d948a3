import { explores, keepsArms, type ExplorationConfig } from '../config/job/exploration.ts';
import { bucketOf } from '../explore/bucket.ts';
import { Knowledge } from '../explore/knowledge.ts';
import { LoopMemory } from '../explore/loops.ts';
import { mixTools, mixUniform, penalise, probabilities } from '../explore/proposal.ts';
import { emptyState, type ExplorationState } from '../explore/state.ts';
import type { Random } from '../random/random.ts';
import { MillraceError } from '../errors.ts';
import type { PolicyKind } from '../policy/kind.ts';
import { flagsOf, type Plan } from '../policy/plan.ts';
import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';
import type { FlowShape, PreparedPlan } from './plan.ts';

/** What every flow of a job explores with. */
export interface ExplorationSetup {
  config: ExplorationConfig;
  shape: FlowShape;
  flow: Pick<FlowDefinition<any, any>, 'bucket'>;
}

/** What a policy chooses from at one step. */
export interface OpenNow {
  /** The plan with the actions that are open: what the policy sees, here and in the learner. */
  plan: Plan;
  /** Index in the flow's plan of each action of `plan`; undefined when all are open. */
  actions: readonly number[] | undefined;
}

/** What a flow's decisions were, for its group. */
export interface DecisionTrace {
  /** Index of the action taken among those the policy saw. */
  actions: number[];
  /** State bucket of each step; empty without statistics. */
  buckets: number[];
}

/**
 * Exploration in one flow. At each step, first `open` closes actions (pruning, loops): the policy never sees them, so its
 * probabilities are over the same support here and in the learner. Then `propose` says what to sample from instead of the policy.
 * Both depend on nothing but the version, the flow so far and the flow's own random numbers.
 *
 * A policy that writes its calls has no distribution over actions to propose from. `open` does not offer it the tools that pruning
 * closes, and `avoids` says which of its calls should be written again (loops). Thompson sampling and forced exploration are refused
 * where the job is created ({@link checkExplorable}).
 */
export class Explorer {
  readonly trace: DecisionTrace = { actions: [], buckets: [] };
  readonly #setup: ExplorationSetup;
  readonly #knowledge: Knowledge;
  readonly #forced: boolean;
  readonly #counts: boolean;
  readonly #loops = new LoopMemory<number>();
  readonly #calls = new LoopMemory<string>();
  #bucket = 0;
  #repeated: ReadonlySet<number> = NONE;
  #situation = 0;

  /** @param forced this member of its group is one of those that must explore */
  constructor(setup: ExplorationSetup, state: ExplorationState | undefined, forced: boolean) {
    this.#setup = setup;
    this.#knowledge = knowledgeOf(state ?? EMPTY_KNOWLEDGE, setup.config);
    this.#forced = forced;
    this.#counts = keepsArms({ exploration: setup.config });
  }

  /** The situations that loops are told by are needed. */
  get watchesLoops(): boolean {
    return this.#setup.config.loops !== 'none';
  }

  /** @param situation key of the whole plan, where `watchesLoops` */
  open({ plan, memory }: PreparedPlan, situation: number, random: Random): OpenNow {
    const { pruning, loops } = this.#setup.config;
    if (this.#counts) this.trace.buckets.push((this.#bucket = this.#bucketOf(plan, memory)));
    this.#situation = situation;
    this.#repeated = this.watchesLoops ? this.#loops.taken(situation) : NONE;
    const all = plan.actions.map((_, i) => i);
    let actions = all;
    if (pruning.enabled) {
      const closed = this.#closedTools(plan, random);
      if (closed.size > 0) actions = actions.filter((i) => !closed.has(this.#tool(plan, i)));
    }
    if (loops === 'mask' && this.#repeated.size > 0) {
      const fresh = actions.filter((i) => !this.#repeated.has(i));
      // Where everything was tried, trying again is all there is.
      if (fresh.length > 0) actions = fresh;
    }
    if (actions.length === all.length) return { plan, actions: undefined };
    return { plan: { ...plan, actions: actions.map((i) => plan.actions[i]!) }, actions };
  }

  /** Log-probabilities to sample from, given those of the policy over what is open; undefined: the policy's own. */
  propose({ plan, actions }: OpenNow, logProbabilities: ArrayLike<number>): Float64Array | undefined {
    const { loops, loopPenalty, thompson, forced } = this.#setup.config;
    const [bucket, repeated] = [this.#bucket, this.#repeated];
    const penalised = loops === 'penalise' && repeated.size > 0;
    if (!penalised && thompson.mix === 0 && !this.#forced) return undefined;
    let proposal: Float64Array = probabilities(logProbabilities);
    if (penalised) {
      const here = actions === undefined ? repeated : new Set(actions.flatMap((i, at) => (repeated.has(i) ? [at] : [])));
      proposal = penalise(proposal, here, loopPenalty);
    }
    const byTools = (share: number): Float64Array => {
      const tools = plan.actions.map((_, i) => this.#tool(plan, i));
      return mixTools(proposal, tools, this.#knowledge.best(bucket, distinct(tools)), share);
    };
    if (thompson.mix > 0) proposal = byTools(thompson.mix);
    if (this.#forced) proposal = forced.mode === 'thompson' ? byTools(forced.epsilon) : mixUniform(proposal, forced.epsilon);
    return proposal.map(Math.log);
  }

  /** Notes the choice and gives its index in the flow's plan. */
  chose(chosen: number, { actions }: OpenNow): number {
    this.trace.actions.push(chosen);
    const action = actions === undefined ? chosen : actions[chosen]!;
    if (this.watchesLoops) this.#loops.take(this.#situation, action);
    return action;
  }

  /**
   * Whether a policy that writes should write something else: the flow has taken this very action here before. With loops: penalise the
   * action is let through with probability exp(-loopPenalty).
   */
  avoids(key: string, random: Random): boolean {
    const { loops, loopPenalty } = this.#setup.config;
    if (!this.watchesLoops || !this.#calls.taken(this.#situation).has(key)) return false;
    return loops === 'mask' || random.uniform() >= Math.exp(-loopPenalty);
  }

  /** Notes what the policy wrote. */
  wrote(key: string): void {
    if (this.watchesLoops) this.#calls.take(this.#situation, key);
  }

  /** Tools ruled out here, less those that a small chance lets in again. */
  #closedTools(plan: Plan, random: Random): Set<number> {
    const { revisit } = this.#setup.config.pruning;
    const tools = distinct(plan.actions.map((_, i) => this.#tool(plan, i)));
    const closed = new Set<number>();
    for (const tool of this.#knowledge.pruned(this.#bucket, tools)) if (random.uniform() >= revisit) closed.add(tool);
    return closed;
  }

  #tool(plan: Plan, action: number): number {
    return this.#setup.shape.tools.get(plan.actions[action]!.tool)!.index;
  }

  #bucketOf(plan: Plan, memory: unknown): number {
    const { flow, shape, config } = this.#setup;
    if (flow.bucket === undefined) return bucketOf(flagsOf(plan.flags, shape.features.state), config.buckets);
    const bucket = inFlow('bucket', () => flow.bucket!(memory));
    if (typeof bucket !== 'string' && !(typeof bucket === 'number' && Number.isFinite(bucket)))
      throw flowCrash('bucket', `must return a text or a finite number, got ${String(bucket)}`);
    return bucketOf(bucket, config.buckets);
  }
}

/** The setup of a job's flows; undefined when they do nothing but follow the policy. */
export function explorationOf(
  config: ExplorationConfig | undefined,
  flow: ExplorationSetup['flow'],
  shape: FlowShape,
): ExplorationSetup | undefined {
  return config !== undefined && explores(config) ? { config, flow, shape } : undefined;
}

/**
 * `invalid_argument` with the field where exploration needs a distribution over open actions, and the policy kind writes its calls instead.
 */
export function checkExplorable({ name, decides }: Pick<PolicyKind, 'name' | 'decides'>, config: ExplorationConfig): void {
  if (decides !== 'generated') return;
  const field =
    config.thompson.mix > 0 ? 'exploration.thompson.mix' : config.forced.share > 0 ? 'exploration.forced.share' : undefined;
  if (field === undefined) return;
  throw new MillraceError(
    'invalid_argument',
    `${field}: policy kind "${name}" writes its calls, so there are no probabilities of open actions to mix with; set it to 0`,
    { field },
  );
}

const NONE: ReadonlySet<number> = new Set();
const EMPTY_KNOWLEDGE = emptyState();

/** Flows of one version share what was worked out from its state. */
const knowledge = new WeakMap<ExplorationState, Knowledge>();

function knowledgeOf(state: ExplorationState, config: ExplorationConfig): Knowledge {
  let known = knowledge.get(state);
  if (known === undefined) knowledge.set(state, (known = new Knowledge(state, config)));
  return known;
}

function distinct(tools: readonly number[]): number[] {
  return [...new Set(tools)].sort((a, b) => a - b);
}
