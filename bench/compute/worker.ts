/** A participant of the compute benchmark: one tensorflow.js backend in a process of its own, asked line by line. */
import { createInterface } from 'node:readline';
import { globalNorm } from '../../src/algo/optim/clip.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { prepareBatch, type PreparedBatch } from '../../src/policy/planner/learner/training-step.ts';
import { SingleProcessTrainer, tensorMemory } from '../../src/policy/planner/learner/training-step.ts';
import { createPlanner, type PlannerPolicy } from '../../src/policy/planner/planner.ts';
import { CASES, type ComputeCase } from './cases.ts';
import { type Held, type Kind, type Loaded, RATE_COMPARED, type Request, STEPS_COMPARED, type Timed } from './protocol.ts';
import { ALGORITHM, OPTIMIZER, startingParameters, workload } from './workload.ts';

interface Current {
  from: ComputeCase;
  policy: PlannerPolicy;
  batch: PreparedBatch;
  trainer: SingleProcessTrainer;
}

/** Parts of the batch that `run` trains on in turn. */
const SHARES = [1, 0.4, 0.75, 0.1];

let current: Current | undefined;

function take(from: ComputeCase): Current {
  const policy = createPlanner(from.spec, startingParameters(from));
  const batch = prepareBatch(policy, [workload(from)]);
  return { from, policy, batch, trainer: new SingleProcessTrainer(policy, ALGORITHM, OPTIMIZER) };
}

function load(index: number): Loaded {
  current?.policy.dispose();
  const { from, policy, batch, trainer } = take(CASES[index]!);
  const { loss, gradient } = trainer.gradient(batch);
  const norms = Object.fromEntries(
    policy.layout.map(({ name, offset, size }) => [name, globalNorm(gradient.subarray(offset, offset + size))]),
  );
  const scores = trainer.scores(batch);
  const moving = new SingleProcessTrainer(policy, ALGORITHM, { ...OPTIMIZER, learningRate: RATE_COMPARED });
  for (let i = 0; i < STEPS_COMPARED; i++) moving.step(batch);
  const { loss: lossAfter } = moving.gradient(batch);
  policy.dispose();
  current = take(from);
  return {
    loss,
    lossAfter,
    norms,
    scores: [scores.reduce((sum, score) => sum + score, 0), scores.reduce((sum, score) => sum + score * score, 0)],
  };
}

function time(kind: Kind, repetitions: number, warmup: number): Timed {
  const { trainer, batch } = current!;
  const once = kind === 'train' ? () => trainer.step(batch) : () => trainer.scores(batch);
  const timed: Timed = { wall: [], cpu: [] };
  for (let i = -warmup; i < repetitions; i++) {
    const used = process.cpuUsage();
    const begun = performance.now();
    once();
    const wall = performance.now() - begun;
    const { user, system } = process.cpuUsage(used);
    if (i < 0) continue;
    timed.wall.push(wall);
    timed.cpu.push((user + system) / 1000);
  }
  return timed;
}

/** Training on batches of several sizes, as learners see them: a heap that breaks into pieces would show. */
function run(steps: number): Held {
  const { policy, from, trainer } = current!;
  const whole = workload(from);
  const batches = SHARES.map((share) => {
    const decisions = whole.decisions.slice(0, Math.ceil(share * whole.decisions.length));
    const observations = whole.batch.observations.slice(0, decisions.at(-1)!.observation + 1);
    return prepareBatch(policy, [{ ...whole, batch: { ...whole.batch, observations }, decisions }]);
  });
  for (let i = 0; i < steps; i++) trainer.step(batches[i % batches.length]!);
  // Where node runs with --expose-gc, what is left is what is held.
  globalThis.gc?.();
  return { ...tensorMemory(), rss: process.memoryUsage.rss() };
}

function answer(request: Request): object {
  switch (request.op) {
    case 'load':
      return load(request.case);
    case 'time':
      return time(request.kind, request.repetitions, request.warmup);
    case 'run':
      return run(request.steps);
  }
}

const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

try {
  const backend = process.argv[2];
  const info = await initCompute({ preferred: backend });
  say({ ready: info.describe() });
} catch (thrown) {
  say({ unavailable: thrown instanceof Error ? thrown.message : String(thrown) });
  process.exit(0);
}
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(answer(JSON.parse(line) as Request));
  } catch (thrown) {
    say({ error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
  }
}
