import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime, type JobRuntime } from '../../cluster/jobs/runtime.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/clock/system.ts';
import { runFlow } from '../../src/flow/run.ts';
import { choice } from '../../src/policy/decision.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { createPlanner, type PlannerPolicy } from '../../src/policy/planner/planner.ts';
import { SingleProcessTrainer } from '../../src/policy/planner/learner/training-step.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { judge } from '../../src/reward/judge.ts';
import { pytorchCommand } from '../compute/participants.ts';
import { ROOT } from './child.ts';
import { LockStepEnvironment, type Standing } from './environment.ts';
import { frame, FrameReader, LEARNABLE, OPERATIONS, STANDING, writeLearnable, writeStanding, type Hello } from './protocol.ts';
import { plannerSpec } from './planner.ts';
import { arraysOf } from './test-support.ts';

const JOB = 'bench/train/retail-grpo.yaml';
const SMALL = ['source.users=40', 'source.tasks=30'];
const MAIN = ['--import', 'tsx', 'bench/train/environment-main.ts', JOB, '-', ...SMALL];

let runtime: JobRuntime;
let environment: LockStepEnvironment;
beforeAll(async () => {
  runtime = await loadJobRuntime(loadJobConfig(JOB, { overrides: SMALL, cwd: ROOT }).config, REAL_PORTS);
  environment = await LockStepEnvironment.open(runtime);
});

/** The number of actions open to each flow that waits, by the observation's row. */
class Seen {
  readonly open: number[] = [];
  take({ fresh: { flat } }: Standing): void {
    for (let o = 0; o < flat.observations; o++) this.open.push(flat.actionStart[o + 1]! - flat.actionStart[o]!);
  }
}

/** Plays a round to its end with actions drawn from `seed`. */
async function play(purpose: 'train' | 'evaluate', groupSize: number, tasks: number[], seed = 1) {
  const random = seededRandom(seed);
  const taken: number[][] = Array.from({ length: groupSize * tasks.length }, () => []);
  const ended: Standing['ended'] = [];
  const seen = new Seen();
  let standing = await environment.reset({ purpose, groupSize, tasks });
  for (;;) {
    seen.take(standing);
    ended.push(...standing.ended);
    if (standing.flows.length === 0) return { taken, ended, rows: seen.open.length };
    const actions = Array.from(standing.rows, (row) => random.integer(seen.open[row]!));
    standing.flows.forEach((flow, i) => taken[flow]!.push(actions[i]!));
    standing = await environment.step(actions);
  }
}

/** The same actions in a flow of its own. */
async function replay(json: string, actions: readonly number[]) {
  const left = [...actions];
  const { context } = await runtime.tasks();
  const { flow } = runtime;
  const task: unknown = JSON.parse(json);
  const planner = { choose: () => ({ decision: choice(left.shift()!), logProbability: 0, entropy: 0 }) };
  const run = await runFlow({ flow, task, context, planner, random: seededRandom(0), clock: systemClock });
  expect(run.failure).toBeUndefined();
  return {
    steps: run.steps.length,
    judgement: await judge(flow, { task, answerJson: run.answerJson, context }, { clock: systemClock, timeoutMs: 1000 }),
  };
}

describe('the environment', () => {
  it('runs what the flow itself runs with the same actions', async () => {
    const { taken, ended } = await play('train', 3, [0, 1, 40]);
    expect(ended.map(({ flow }) => flow).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { flow, reward, success } of ended) {
      const { json } = environment.plan.taskFor([0, 1, 40][Math.floor(flow / 3)]!);
      const { steps, judgement } = await replay(json, taken[flow]!);
      expect(steps).toBe(taken[flow]!.length);
      expect(judgement).toMatchObject({ outcome: reward, success });
    }
  });

  it('tells equal observations of a group once, and batches exactly those that were decided on', async () => {
    const { taken, rows } = await play('train', 4, [2, 3]);
    const decisions = taken.reduce((sum, { length }) => sum + length, 0);
    expect(rows).toBeLessThan(decisions);
    const everything = environment.learnable([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(everything.batch.flat.observations).toBe(rows);
    expect([...everything.lengths]).toEqual(taken.map(({ length }) => length));
    expect(everything.observations).toHaveLength(decisions);
    const one = environment.learnable([5]);
    expect(new Set(one.observations).size).toBe(one.batch.flat.observations);
    expect(one.batch.newTexts).toEqual([]);
    expect(() => environment.learnable([8])).toThrow(/8 flows/);
  });

  it('asks for an action of every flow that waits, and for a round to end', async () => {
    const standing = await environment.reset({ purpose: 'evaluate', groupSize: 1, tasks: [0, 1] });
    await expect(environment.step([0])).rejects.toThrow(/2 flows wait/);
    await expect(environment.reset({ purpose: 'train', groupSize: 1, tasks: [0] })).rejects.toThrow(/have not all ended/);
    const done = plannerSpec(runtime).tools.findIndex(({ name }) => name === 'done');
    const end = await environment.step(Array.from(standing.flows, () => done));
    expect(end.flows).toHaveLength(0);
    expect(end.ended.map(({ success }) => success)).toEqual([false, false]);
    await expect(environment.reset({ purpose: 'evaluate', groupSize: 1, tasks: [99] })).rejects.toThrow(/held-out task 99/);
  });
});

describe('the environment as a process', () => {
  it('says what the environment says', async () => {
    const child = spawn(process.execPath, MAIN, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const reader = new FrameReader();
    const frames = (async function* () {
      for await (const chunk of child.stdout) yield* reader.push(chunk as Uint8Array);
    })();
    const next = async (): Promise<Uint8Array> => (await frames.next()).value as Uint8Array;
    const ask = (...values: number[]): Promise<Uint8Array> => {
      child.stdin.write(frame(new Uint8Array(Int32Array.from(values).buffer)));
      return next();
    };
    const hello = JSON.parse(new TextDecoder().decode(await next())) as Hello;
    expect(hello.spec).toEqual(plannerSpec(runtime));
    expect(hello.tasks).toEqual({ train: environment.plan.train.length, heldOut: environment.plan.validation.length });
    const weights = await next();
    const { values } = initialParameters(plannerSpec(runtime));
    expect(Buffer.from(weights).equals(Buffer.from(values.buffer))).toBe(true);

    const first = await ask(OPERATIONS.train, 2, 0, 1);
    const standing = await environment.reset({ purpose: 'train', groupSize: 2, tasks: [0, 1] });
    expect(arraysOf(first, hello.answers.standing)).toEqual(arraysOf(writeStanding(standing), STANDING));
    const { flows, state, tuples1 } = arraysOf(first, hello.answers.standing);
    expect(flows).toEqual([0, 1, 2, 3]);
    expect(state).toHaveLength(2 * plannerSpec(runtime).features.state);
    expect(tuples1!.length).toBeGreaterThanOrEqual(2);

    const actions = [4, 0, 1, 4];
    const second = await environment.step(actions);
    expect(arraysOf(await ask(OPERATIONS.step, ...actions), STANDING)).toEqual(arraysOf(writeStanding(second), STANDING));
    const learnable = writeLearnable(environment.learnable([1, 2]));
    expect(arraysOf(await ask(OPERATIONS.learn, 1, 2), LEARNABLE)).toEqual(arraysOf(learnable, LEARNABLE));
    child.stdin.end();
    expect(await ended).toBe(0);
    await environment.step(Array.from(second.flows, () => 4));
  });
});

const python = pytorchCommand();
/** What the peer's network gives for the first decisions of two flows, and its gradient over two whole ones. */
const PEER = `
import json, sys, torch, grpo
environment = grpo.NodeEnvironment(sys.argv[1:])
threads = grpo.fastest_threads(environment)
planner = grpo.Planner(environment.spec, environment.parameters)
answer = environment.train(2, [0])
with torch.no_grad():
    decided = grpo.Decided(planner)
    first = decided.take(answer)
    taken, step = [[], []], 0
    while len(answer["flows"]) > 0:
        rows = decided.take(answer) if step > 0 else first
        actions = [(7 * f + 3 * step + 5) % int(torch.isfinite(row).sum()) for f, row in zip(answer["flows"].tolist(), rows)]
        for f, action in zip(answer["flows"].tolist(), actions):
            taken[f].append(action)
        answer = environment.step(actions)
        step += 1
learnable = environment.learn([0, 1])
action = torch.tensor(taken[0] + taken[1])
old = torch.full((len(action),), -1.0)
loss = grpo.loss_of(planner, learnable, decided.texts, action, old, torch.tensor([1.0, -1.0]), environment.job["algorithm"])
loss.backward()
gradient = torch.cat([parameter.grad.flatten() for parameter in planner.parameters()])
first = [[value for value in row if value > -1e9] for row in first.tolist()]
print(json.dumps(dict(threads=threads, first=first, taken=taken, loss=loss.item(), gradient=gradient.tolist())))
environment.close()
`;

interface PeerAnswer {
  /** Measured first: that must leave the weights alone. */
  threads: number;
  first: number[][];
  taken: number[][];
  loss: number;
  gradient: number[];
}

describe.skipIf(python === undefined)('the peer (skipped where no python has torch)', () => {
  let theirs: PeerAnswer;
  let planner: PlannerPolicy;
  beforeAll(async () => {
    await initCompute();
    planner = createPlanner(plannerSpec(runtime));
    const { stdout, stderr } = spawnSync(python!.file, ['-c', PEER, process.execPath, ...MAIN], {
      ...{ cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 },
      env: { ...process.env, ...python!.env, PYTHONPATH: 'bench/peers' },
    });
    expect(stderr).not.toMatch(/Error/);
    theirs = JSON.parse(stdout) as PeerAnswer;
  });
  afterAll(() => planner.dispose());

  it('computes the same network from the same weights', async () => {
    expect([1, 2]).toContain(theirs.threads);
    const { fresh, flows } = await environment.reset({ purpose: 'train', groupSize: 2, tasks: [0] });
    const scores = await planner.scores(fresh.flat).array();
    const normalizer = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    // Two flows that stand at the same place.
    for (const row of theirs.first) expect(row).toEqual(scores.map((score) => expect.closeTo(score - normalizer, 5)));
    expect(new Set(theirs.first[0]!.map((value) => value.toFixed(6))).size).toBeGreaterThan(10);
    await environment.step(Array.from(flows, () => 4));
  });

  it('computes the same loss and gradient from the same decisions', async () => {
    let standing = await environment.reset({ purpose: 'train', groupSize: 2, tasks: [0] });
    for (let step = 0; standing.flows.length > 0; step++) {
      standing = await environment.step(Array.from(standing.flows, (flow) => theirs.taken[flow]![step]!));
    }
    const { batch, lengths, observations } = environment.learnable([0, 1]);
    const { flat } = batch;
    const perDecision = (of: (flow: number) => number) =>
      Float64Array.from([...lengths].flatMap((length, flow) => new Array<number>(length).fill(of(flow))));
    const action = Int32Array.from(theirs.taken.flat());
    const table = {
      oldLogProb: perDecision(() => -1),
      advantage: perDecision((flow) => (flow === 0 ? 1 : -1)),
      weight: perDecision((flow) => 1 / lengths[flow]!),
    };
    const { algorithm, optimizer } = runtime.config;
    const trainer = new SingleProcessTrainer(planner, algorithm, optimizer);
    const own = trainer.gradient({
      ...{ flat, temperature: new Float64Array(flat.observations).fill(1) },
      ...{ observation: observations, action, table },
    });
    expect(theirs.loss).toBeCloseTo(own.loss, 5);
    const norm = Math.hypot(...own.gradient);
    expect(norm).toBeGreaterThan(1e-3);
    const distance = Math.hypot(...own.gradient.map((value, i) => value - theirs.gradient[i]!));
    expect(distance / norm).toBeLessThan(1e-4);
  });
});
