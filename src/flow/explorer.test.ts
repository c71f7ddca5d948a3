import { describe, expect, it } from 'vitest';
import { explorationSchema, type ExplorationConfig } from '../config/job/exploration.ts';
import { emptyState, type ExplorationState } from '../explore/state.ts';
import type { Random } from '../random/random.ts';
import { seededRandom } from '../random/seeded.ts';
import type { Plan } from './define.ts';
import { Explorer, type ExplorationSetup } from './explorer.ts';
import { FlowFailure } from './failure.ts';
import { flowShape } from './plan.ts';

/**
 * A flow of three steps whose trajectories can all be listed: what is known of it is computed by enumeration, without sampling.
 * Its memory is the list of actions taken so far; action 4 looks around and changes nothing.
 */
const LENGTH = 3;
const TOOLS = ['look', 'take', 'give'] as const;
const ACTIONS: Plan['actions'] = [
  { tool: 'take', items: [0] },
  { tool: 'take', items: [1] },
  { tool: 'give', items: [0] },
  { tool: 'give', items: [1] },
  { tool: 'look' },
];
const flow = {
  tools: Object.fromEntries(TOOLS.map((name) => [name, { pointers: name === 'look' ? 0 : 1 }])),
  features: { state: ['progress'] },
} as unknown as Parameters<typeof flowShape>[0];
const shape = flowShape(flow);

type History = readonly number[];
/** Looking around leaves everything as it is: the very same situation again. */
const situationOf = (history: History): History => history.filter((action) => action !== 4);
const keyOf = (history: History): number => situationOf(history).reduce((key, action) => key * 7 + action + 1, 0);
const planOf = (history: History): Plan => ({
  flags: { progress: situationOf(history).length / LENGTH },
  items: [{}, {}],
  actions: ACTIONS,
});
const rewardOf = (history: History): number => (situationOf(history).includes(2) ? 1 : 0) + 0.1 * (keyOf(history) % 5);

/** Scores of the actions: those of the policy that acts (0) and of the one that has learned since (1). */
const score = (learned: number, history: History, action: number): number =>
  Math.sin(1 + 3 * action + 5 * keyOf(history) + history.length) + learned * Math.cos(2 + action * action + keyOf(history));

function policy(learned: number, history: History, actions: readonly number[], temperature: number): number[] {
  const scores = actions.map((action) => score(learned, history, action) / temperature);
  const total = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0));
  return scores.map((s) => s - total);
}

/** Random numbers from a list of coin flips that is still to be chosen: every draw is below (0) or above (1) any threshold. */
class Coins implements Random {
  readonly flips: number[] = [];
  readonly #script: readonly number[];
  constructor(script: readonly number[]) {
    this.#script = script;
  }
  uniform(): number {
    const flip = this.#script[this.flips.length] ?? 0;
    this.flips.push(flip);
    return flip === 0 ? 0 : 1 - Number.EPSILON;
  }
  integer(): number {
    throw new Error('not drawn here');
  }
  normal(): number {
    throw new Error('not drawn here');
  }
  fork(): Random {
    return this;
  }
}

interface Ended {
  history: History;
  /** Probability that sampling gives this trajectory, closed tools included. */
  probability: number;
  /** Σ log π_learned − log μ, what a learner computes from what was recorded. */
  logRatio: number;
  /** The same probability with the learned policy in place of the proposal. */
  underLearned: number;
}

function setupOf(config: ExplorationConfig): ExplorationSetup {
  return { config, shape, flow: {} };
}

/** Every trajectory under exploration, with its probabilities. */
function enumerate(config: ExplorationConfig, state: ExplorationState, temperature: number, forced: boolean): Ended[] {
  const ended: Ended[] = [];
  const { revisit } = config.pruning;
  const step = (history: History, sofar: Omit<Ended, 'history'>): void => {
    if (history.length === LENGTH) {
      ended.push({ history, ...sofar });
      return;
    }
    // An explorer has a past: it is led along the same trajectory again.
    const replay = (script: readonly number[]): { explorer: Explorer; coins: Coins; open: ReturnType<Explorer['open']> } => {
      const explorer = new Explorer(setupOf(config), state, forced);
      for (let t = 0; t < history.length; t++) {
        const past = history.slice(0, t);
        const all = explorer.open(
          { plan: planOf(past), memory: past, step: t },
          keyOf(past),
          new Coins(Array<number>(9).fill(0)),
        );
        explorer.chose((all.actions ?? ACTIONS.map((_, i) => i)).indexOf(history[t]!), all);
      }
      const coins = new Coins(script);
      return {
        explorer,
        coins,
        open: explorer.open({ plan: planOf(history), memory: history, step: history.length }, keyOf(history), coins),
      };
    };
    const draws = replay([]).coins.flips.length;
    for (let mask = 0; mask < 2 ** draws; mask++) {
      const script = Array.from({ length: draws }, (_, i) => (mask >> i) & 1);
      const { explorer, open } = replay(script);
      const chance = script.reduce((p, flip) => p * (flip === 0 ? revisit : 1 - revisit), 1);
      const actions = open.actions ?? ACTIONS.map((_, i) => i);
      expect(open.plan.actions).toEqual(actions.map((i) => ACTIONS[i]));
      const behaviour = policy(0, history, actions, temperature);
      const proposal = Array.from(explorer.propose(open, behaviour) ?? behaviour);
      const learned = policy(1, history, actions, temperature);
      expect(proposal.reduce((sum, l) => sum + Math.exp(l), 0)).toBeCloseTo(1, 10);
      if (chance === 0) continue;
      for (const [i, action] of actions.entries())
        step([...history, action], {
          probability: sofar.probability * chance * Math.exp(proposal[i]!),
          logRatio: sofar.logRatio + learned[i]! - proposal[i]!,
          underLearned: sofar.underLearned * chance * Math.exp(learned[i]!),
        });
    }
  };
  step([], { probability: 1, logRatio: 0, underLearned: 1 });
  return ended;
}

const sum = (ended: readonly Ended[], of: (e: Ended) => number): number => ended.reduce((total, e) => total + of(e), 0);

/** Value of the learned policy, all actions open, without any exploration code. */
function plainValue(temperature: number, history: History = []): number {
  if (history.length === LENGTH) return rewardOf(history);
  const all = ACTIONS.map((_, i) => i);
  return policy(1, history, all, temperature).reduce((v, l, a) => v + Math.exp(l) * plainValue(temperature, [...history, a]), 0);
}

/** A state in which tools differ at every bucket: `give` is clearly the best, `take` clearly worse. */
function knowing(config: ExplorationConfig): ExplorationState {
  const counts: [number, number][] = [
    [5, 5],
    [4, 60],
    [50, 12],
  ];
  const tools = new Map(counts.map(([good, bad], tool) => [tool, { good, bad, visits: good + bad, value: 0 }]));
  return { ...emptyState(), arms: new Map(Array.from({ length: config.buckets }, (_, bucket) => [bucket, tools])) };
}

const configured = (over: object): ExplorationConfig => explorationSchema.parse({ buckets: 16, ...over });

describe('importance weights from recorded probabilities', () => {
  const cases: [name: string, over: object, forced: boolean, temperature: number][] = [
    ['temperature above 1', { loops: 'penalise', loopPenalty: 0 }, false, 1.7],
    ['temperature below 1', { loops: 'penalise', loopPenalty: 0 }, false, 0.6],
    ['forced uniform', { forced: { share: 0.5, epsilon: 0.3 } }, true, 1],
    ['forced uniform at another temperature', { forced: { share: 0.5, epsilon: 0.5 } }, true, 0.7],
    ['forced Thompson', { forced: { share: 0.5, mode: 'thompson', epsilon: 0.6 } }, true, 1],
    ['Thompson mixture', { thompson: { mix: 0.4 } }, false, 1],
    ['Thompson mixture at another temperature', { thompson: { mix: 0.4 } }, false, 1.4],
    ['penalised loops', { loops: 'penalise', loopPenalty: 1.5 }, false, 1],
    ['all that leaves everything open', { loops: 'penalise', thompson: { mix: 0.3 }, forced: { share: 0.5 } }, true, 1.2],
  ];
  it.each(cases)('%s: the estimate of the learned policy is unbiased', (_, over, forced, temperature) => {
    const config = configured(over);
    const ended = enumerate(config, knowing(config), temperature, forced);
    expect(ended).toHaveLength(ACTIONS.length ** LENGTH);
    expect(sum(ended, (e) => e.probability)).toBeCloseTo(1, 10);
    expect(sum(ended, (e) => e.probability * Math.exp(e.logRatio))).toBeCloseTo(1, 10);
    const estimate = sum(ended, (e) => e.probability * Math.exp(e.logRatio) * rewardOf(e.history));
    expect(estimate).toBeCloseTo(plainValue(temperature), 10);
    // Without weights the estimate is of something else: there is a difference to be corrected.
    expect(Math.abs(sum(ended, (e) => e.probability * rewardOf(e.history)) - estimate)).toBeGreaterThan(1e-3);
  });

  const masked: [name: string, over: object, trajectories: number][] = [
    ['pruning with revisits', { pruning: { enabled: true, revisit: 0.2 } }, (3 + 5) ** LENGTH],
    ['pruning without revisits', { pruning: { enabled: true, revisit: 0 } }, 3 ** LENGTH],
    ['pruning under a Thompson mixture', { pruning: { enabled: true, revisit: 0.2 }, thompson: { mix: 0.3 } }, (3 + 5) ** LENGTH],
    ['closed loops', { loops: 'mask' }, 0],
  ];
  it.each(masked)('%s: the estimate is of the learned policy among the actions that are open', (_, over, trajectories) => {
    const config = configured(over);
    const ended = enumerate(config, knowing(config), 1, false);
    if (trajectories > 0) expect(ended).toHaveLength(trajectories);
    expect(sum(ended, (e) => e.probability)).toBeCloseTo(1, 10);
    expect(sum(ended, (e) => e.underLearned)).toBeCloseTo(1, 10);
    const estimate = sum(ended, (e) => e.probability * Math.exp(e.logRatio) * rewardOf(e.history));
    expect(estimate).toBeCloseTo(
      sum(ended, (e) => e.underLearned * rewardOf(e.history)),
      10,
    );
    expect(Math.abs(estimate - plainValue(1))).toBeGreaterThan(1e-3);
  });

  it('without exploration the policy is followed', () => {
    const explorer = new Explorer(setupOf(configured({ statistics: true })), undefined, false);
    const open = explorer.open({ plan: planOf([]), memory: [], step: 0 }, 0, new Coins([]));
    expect(open.actions).toBeUndefined();
    expect(explorer.propose(open, [Math.log(0.5), Math.log(0.5)])).toBeUndefined();
    expect(explorer.trace.buckets).toHaveLength(1);
  });
});

describe('Explorer', () => {
  it('closes tools that bounds rule out, and lets them in again as often as it should', () => {
    const config = configured({ pruning: { enabled: true, revisit: 0.25 } });
    const random = seededRandom(5);
    const explorer = new Explorer(setupOf(config), knowing(config), false);
    let open = 0;
    for (let i = 0; i < 2000; i++) {
      const now = explorer.open({ plan: planOf([]), memory: [], step: 0 }, 0, random);
      if (now.actions === undefined) open += 1;
      else expect(now.actions).toEqual([2, 3, 4]);
    }
    expect(open / 2000).toBeCloseTo(0.25, 1);
  });

  it('closes an action taken in the very same situation, unless all were', () => {
    const explorer = new Explorer(setupOf(configured({ loops: 'mask' })), undefined, false);
    const at = (situation: number) => explorer.open({ plan: planOf([]), memory: [], step: 0 }, situation, new Coins([]));
    for (let taken = 0; taken < ACTIONS.length; taken++) {
      const now = at(1);
      expect(now.plan.actions).toHaveLength(ACTIONS.length - taken);
      expect(explorer.chose(0, now)).toBe(taken);
    }
    expect(at(1).actions).toBeUndefined();
    expect(at(2).actions).toBeUndefined();
  });

  it('takes the buckets that a flow gives, and says what is wrong with them', () => {
    const config = configured({ statistics: true });
    const bucketed = (bucket: unknown): Explorer =>
      new Explorer({ config, shape, flow: { bucket: () => bucket as string } }, undefined, false);
    const one = bucketed('packing');
    one.open({ plan: planOf([]), memory: [], step: 0 }, 0, new Coins([]));
    one.open({ plan: planOf([0]), memory: [], step: 1 }, 0, new Coins([]));
    expect(new Set(one.trace.buckets).size).toBe(1);
    const numbered = bucketed(18.9);
    numbered.open({ plan: planOf([]), memory: [], step: 0 }, 0, new Coins([]));
    expect(numbered.trace.buckets).toEqual([2]);
    for (const wrong of [undefined, NaN, {}]) {
      expect(() => bucketed(wrong).open({ plan: planOf([]), memory: [], step: 0 }, 0, new Coins([]))).toThrow(FlowFailure);
    }
  });
});
