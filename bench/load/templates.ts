import { seededRandom } from '../../src/random/seeded.ts';
import type { StepRow, TrajectoryRow } from '../../src/records/tables.ts';

/** A scored group to make messages of: its rows, and what the learner gets with them. */
export interface GroupTemplate {
  taskId: string;
  /** In the order of the members. */
  trajectories: TrajectoryRow[];
  /** In the order of the members and their steps. */
  steps: StepRow[];
  experience: Uint8Array;
}

const GROUP = 16;
const TOOLS = ['get_order', 'get_product', 'cancel', 'modify_items', 'return', 'exchange', 'get_user', 'auth_email', 'done'];
/** A retail group's experience: distinct texts, distinct observations and decisions. */
const EXPERIENCE_BYTES = 9_000;

/**
 * Groups as examples/retail makes them in the middle of training, from random numbers: 16 trajectories of 3 to 23 steps (13 on
 * average), results of 20 to 200 characters of which a third comes again, and experience that hardly packs.
 */
export function syntheticTemplates(count: number, seed = 1): GroupTemplate[] {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random.uniform() * n);
  return Array.from({ length: count }, (_, at): GroupTemplate => {
    const taskId = `made-${at}`;
    const orders = Array.from({ length: 6 }, () => `#W${1_000_000 + below(9_000_000)}`);
    const steps: StepRow[] = [];
    const trajectories = Array.from({ length: GROUP }, (_, member): TrajectoryRow => {
      const length = 3 + below(21);
      const success = random.uniform() < 0.5;
      let errors = 0;
      for (let step = 0; step < length; step += 1) {
        const error = random.uniform() < 0.4;
        if (error) errors += 1;
        const order = orders[below(orders.length)]!;
        steps.push({
          job: '',
          trajectory_id: String(member),
          request_id: '',
          task_id: taskId,
          purpose: 'train',
          evaluation: '',
          policy_version: 0,
          step,
          tool: TOOLS[below(TOOLS.length)]!,
          items: step === 0 ? [] : [below(step), step],
          arguments: random.uniform() < 0.5 ? '' : JSON.stringify({ order_id: order }),
          result: error ? `Order ${order} cannot be changed now.` : resultOf(order, below),
          error,
          log_probability: -3 * random.uniform(),
          entropy: 3 * random.uniform(),
          open_actions: 8 + below(17),
          plan_us: 500 + below(20_000),
          tool_us: 3 + below(60),
          started_at: step * 7000,
          ...seen(step, length, below),
          step_reward: step === length - 1 ? Number(success) : 0,
          advantage: success ? 1 : -1,
        });
      }
      return {
        job: '',
        trajectory_id: String(member),
        request_id: '',
        sequence: 0,
        member,
        task_id: taskId,
        purpose: 'train',
        evaluation: '',
        agent: 'policy',
        policy_version: 0,
        dispatch_version: 0,
        steps: length,
        tool_errors: errors,
        termination: success ? 'done' : 'step_limit',
        failure: '',
        failure_message: '',
        resamples: 0,
        outcome: Number(success),
        reward: Number(success),
        advantage: success ? 1 : -1,
        success,
        valid: true,
        verdict: 'signal',
        components: { outcome: Number(success) },
        answer: JSON.stringify({ order_id: orders[0], actions: length }),
        node: 'rollout-1',
        reward_node: 'reward-1',
        dispatched_at: 0,
        started_at: 40_000,
        ended_at: 40_000 + length * 7000,
        scored_at: 250_000,
      };
    });
    const experience = Uint8Array.from({ length: EXPERIENCE_BYTES }, () => below(256));
    return { taskId, trajectories, steps, experience };
  });
}

/** State and other actions of a step: half of the steps change the state, which grows with what was looked up. */
function seen(step: number, steps: number, below: (n: number) => number): Partial<StepRow> {
  const state = (done: number): string =>
    JSON.stringify({
      customer: done > 0 ? 'ann_example_4711' : null,
      requests: Array.from({ length: 4 }, (_, i) => ({ text: `request ${i} of the customer`, written: i < done / 6, errors: i })),
      orders: Array.from({ length: Math.min(6, done) }, (_, i) => `#W${1_000_000 + i}`),
    });
  const others = Array.from({ length: 8 }, (_, i) => ({
    action: `${TOOLS[(step + i) % TOOLS.length]!}(${i % 4})`,
    probability: below(10_000 >> (i + 1)) / 10_000,
  }));
  return {
    state_before: step === 0 ? state(0) : '',
    state_after: step % 2 === 0 || step === steps - 1 ? state(step + 1) : '',
    verified: step % 3 === 0,
    other_actions: others.map(({ action }) => action),
    other_probabilities: others.map(({ probability }) => probability),
  };
}

function resultOf(order: string, below: (n: number) => number): string {
  const items = Array.from({ length: below(4) }, () => ({
    item_id: String(1_000_000_000 + below(9_000_000)),
    price: below(90_000) / 100,
  }));
  return JSON.stringify({ order_id: order, status: ['pending', 'delivered', 'processed'][below(3)], items });
}
