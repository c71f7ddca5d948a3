/** The flow of examples/retail in Python (bench/peers/retail) beside the flow itself: without this nothing would be comparable. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime, type JobRuntime } from '../../cluster/jobs/runtime.ts';
import { analyze } from '../../examples/retail/analyzer/analyze.ts';
import { realData } from '../../examples/retail/test-support.ts';
import { World } from '../../examples/retail/world/world.ts';
import { systemClock } from '../../src/clock/system.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { runFlow } from '../../src/flow/run.ts';
import { choice, type ChoiceDecision } from '../../src/policy/decision.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { tokenize } from '../../src/policy/planner/tokenizer.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { ROOT } from './child.ts';
import { LockStepEnvironment, type RoundRequest } from './environment.ts';
import { exportEnvironment } from './export.ts';
import { LEARNABLE, STANDING, writeLearnable, writeStanding } from './protocol.ts';
import { plannerSpec } from './planner.ts';
import { arraysOf, askPython, oddMessages, pythonWithNumpy, type Arrays } from './test-support.ts';
import { tinyShop, tinyTasks } from './tiny-shop.ts';

const JOB = 'bench/train/retail-grpo.yaml';
const python = pythonWithNumpy();
if (python === undefined) console.log('bench/train/retail.test.ts is skipped: no python3 with numpy was found');

/** Held-out tasks that are played; every set of tasks has more. */
const HELD_OUT = 60;

/** A round that was played: what was done, and everything that was answered. */
interface Round extends RoundRequest {
  actions: number[][];
  /** Flows asked for at the end. */
  learn: number[];
  answers: Arrays[];
}

/** How the members of a group choose: by the rule, by the rule or by chance, by chance with and without ending the flow. */
const MEMBERS = ['rule', 'stray', 'stray', 'wander', 'random'] as const;

/** Plays rounds with the flow itself and tells which tools succeeded and which failed. */
class Recorder {
  readonly succeeded = new Set<string>();
  readonly failed = new Set<string>();
  readonly rounds: Round[] = [];
  readonly #runtime: JobRuntime;
  readonly #environment: LockStepEnvironment;
  readonly #context: unknown;

  constructor(runtime: JobRuntime, environment: LockStepEnvironment, context: unknown) {
    this.#runtime = runtime;
    this.#environment = environment;
    this.#context = context;
  }

  async play(request: RoundRequest, members: readonly (typeof MEMBERS)[number][]): Promise<void> {
    const { plan } = this.#environment;
    const sequences: number[][] = [];
    for (const number of request.tasks) {
      const { json } = request.purpose === 'train' ? plan.taskFor(number) : plan.validation[number]!;
      for (const member of members) sequences.push(await this.#actions(json, member, sequences.length + 1));
    }
    const round: Round = { ...request, actions: [], learn: [], answers: [] };
    let standing = await this.#environment.reset(request);
    for (let step = 0; ; step++) {
      round.answers.push(arraysOf(writeStanding(standing), STANDING));
      if (standing.flows.length === 0) break;
      round.actions.push(Array.from(standing.flows, (flow) => sequences[flow]![step]!));
      standing = await this.#environment.step(round.actions.at(-1)!);
    }
    expect(round.actions.flat()).toHaveLength(sequences.flat().length);
    // Some groups as a whole, some in part, one not at all.
    round.learn = sequences.map((_, flow) => flow).filter((flow) => flow >= members.length && flow % 7 > 0);
    round.answers.push(arraysOf(writeLearnable(this.#environment.learnable(round.learn)), LEARNABLE));
    this.rounds.push(round);
  }

  /** What a member does on a task. */
  async #actions(json: string, member: (typeof MEMBERS)[number], seed: number): Promise<number[]> {
    const random = seededRandom(seed);
    const { flow } = this.#runtime;
    const run = await runFlow({
      ...{ flow, task: JSON.parse(json) as unknown, context: this.#context, random, clock: systemClock },
      planner: {
        choose: ({ plan, memory }) => {
          let action = random.integer(plan.actions.length);
          while (member !== 'random' && ['done', 'transfer'].includes(plan.actions[action]!.tool))
            action = random.integer(plan.actions.length);
          if (member === 'rule' || (member === 'stray' && random.uniform() < 0.7)) action = flow.rule!(memory, plan);
          return { decision: choice(action), logProbability: 0, entropy: 0 };
        },
      },
    });
    expect(run.failure).toBeUndefined();
    for (const { tool, error } of run.steps) (error ? this.failed : this.succeeded).add(tool);
    return run.steps.map(({ decision }) => (decision as ChoiceDecision).index);
  }
}

/** Plays the same rounds, and gives what there was before them. */
const REPLAY = `
import json, sys
import numpy as np
from retail.environment import RetailEnvironment
environment = RetailEnvironment(sys.argv[1])
told = lambda arrays: {name: [str(values.dtype), values.tolist()] for name, values in arrays.items()}
rounds = []
for round in json.load(sys.stdin):
    if round["purpose"] == "train":
        answers = [environment.train(round["groupSize"], round["tasks"])]
    else:
        answers = [environment.evaluate(round["tasks"])]
    for actions in round["actions"]:
        answers.append(environment.step(actions))
    answers.append(environment.learn(round["learn"]))
    rounds.append([told(answer) for answer in answers])
json.dump(dict(spec=environment.spec, job=environment.job, tasks=environment.tasks, parameters=told(environment.parameters), rounds=rounds), sys.stdout)
`;

/** Takes messages apart. */
const ANALYZE = `
import dataclasses, json, sys
from retail.analyzer import analyze
from retail.tokens import Tokenizer
given = json.load(sys.stdin)
tokenizer = Tokenizer(given["buckets"], given["maxLength"])
def told(message):
    analysis = analyze(message, given["productNames"])
    clauses = [dict(text=c.text, tokens=tokenizer.tokens(c.text).tolist(), slots=dataclasses.asdict(c.slots)) for c in analysis.clauses]
    return dict(header=analysis.header._asdict(), clauses=clauses, whole=tokenizer.tokens(message).tolist())
json.dump([told(message) for message in given["messages"]], sys.stdout)
`;

type Told = Record<string, [type: string, values: number[]]>;

describe.skipIf(python === undefined)('the environment in Python', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-retail-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe.each([
    ['made-up', undefined],
    ['tau-bench', realData],
    ['odd', undefined],
  ])('on %s tasks', (source, data) => {
    const missing = source === 'tau-bench' && data === undefined;
    let runtime: JobRuntime;
    let recorder: Recorder;
    beforeAll(async () => {
      if (missing) return;
      runtime = await loadJobRuntime(loadJobConfig(JOB, { cwd: ROOT, flags: { data } }).config, REAL_PORTS);
      if (source === 'odd') runtime = await withOddTasks(runtime);
      const environment = await LockStepEnvironment.open(runtime);
      recorder = new Recorder(runtime, environment, (await runtime.tasks()).context);
    });

    it.skipIf(missing)(
      'sees, rewards and ends what the flow itself does',
      async () => {
        for (let round = 0; round < 6; round++) {
          const tasks = Array.from({ length: 20 }, (_, group) => 20 * round + group);
          await recorder.play({ purpose: 'train', groupSize: MEMBERS.length, tasks }, MEMBERS);
        }
        for (const member of ['rule', 'stray', 'wander'] as const) {
          const tasks = Array.from({ length: HELD_OUT }, (_, index) => index);
          await recorder.play({ purpose: 'evaluate', groupSize: 1, tasks }, [member]);
        }
        const tools = plannerSpec(runtime)
          .tools.map(({ name }) => name)
          .sort();
        expect([...recorder.succeeded].sort()).toEqual(tools);
        expect([...recorder.failed].sort()).toEqual(tools.filter((name) => name !== 'done' && name !== 'transfer'));
        const outcomes = recorder.rounds.flatMap(({ answers }) => answers.flatMap(({ successes = [] }) => successes));
        expect(outcomes).toHaveLength(6 * 20 * MEMBERS.length + 3 * HELD_OUT);
        // The rule solves every task that can be solved, which takes writes.
        expect(outcomes.filter((success) => success === 1).length).toBeGreaterThanOrEqual(
          source === 'odd' ? 50 : 6 * 20 + HELD_OUT,
        );
        expect(outcomes.filter((success) => success === 0).length).toBeGreaterThan(100);

        const file = join(folder, `${source}.json`);
        const exported = await exportEnvironment(runtime);
        writeFileSync(file, JSON.stringify(exported));
        const rounds = recorder.rounds.map(({ answers: _, ...round }) => round);
        const theirs = askPython<{ spec: unknown; job: unknown; tasks: unknown; parameters: Told; rounds: Told[][] }>(
          python!,
          REPLAY,
          [file],
          rounds,
        );
        expect(theirs).toMatchObject({ spec: plannerSpec(runtime), job: exported.job });
        expect(theirs.tasks).toEqual({ train: exported.train.length, heldOut: exported.heldOut.length });
        const { tensors, values } = initialParameters(plannerSpec(runtime));
        for (const { name, offset, size } of tensors)
          expect(theirs.parameters[name]![1].flat(2)).toEqual([...values.subarray(offset, offset + size)]);
        recorder.rounds.forEach(({ answers }, round) =>
          answers.forEach((answer, step) => {
            const fields = step === answers.length - 1 ? LEARNABLE : STANDING;
            const typed = fields.map(([name, type]) => [name, [type, answer[name]]]);
            expect(theirs.rounds[round]![step], `round ${round}, answer ${step}`).toEqual(Object.fromEntries(typed));
          }),
        );
      },
      120_000,
    );

    it.skipIf(missing)(
      'takes messages apart as the flow does',
      async () => {
        const { tasks, context } = await runtime.tasks();
        const world = new World(context as World);
        const own = tasks.map(({ json }) => (JSON.parse(json) as { instruction: string }).instruction);
        const messages = [...own, ...oddMessages(own, seededRandom(7), 1500)];
        const { buckets, maxLength } = plannerSpec(runtime).text;
        const { productNames } = world;
        const theirs = askPython<unknown[]>(python!, ANALYZE, [], { messages, productNames, buckets, maxLength });
        let clauses = 0;
        messages.forEach((message, index) => {
          const { header, clauses: found } = analyze(message, world);
          clauses += found.length;
          const expected = {
            header: {
              ...{ email: header.email ?? null, zip: header.zip ?? null },
              ...{ first_name: header.firstName ?? null, last_name: header.lastName ?? null },
            },
            clauses: found.map(({ text, slots }) => ({
              text,
              tokens: [...tokenize(text, { buckets, maxLength })],
              slots: {
                ...{ order_id: slots.orderId ?? null, reason: slots.reason ?? null, address: slots.address ?? null },
                payment:
                  slots.payment === undefined
                    ? null
                    : { id: null, source: null, last_four: null, ...namedLikePython(slots.payment) },
                items: slots.items.map(({ name, from, to }) => ({ name, given: from ?? null, wanted: to ?? null })),
              },
            })),
            whole: [...tokenize(message, { buckets, maxLength })],
          };
          expect(theirs[index], message).toEqual(expected);
        });
        expect(clauses).toBeGreaterThan(own.length);
      },
      60_000,
    );
  });

  it('is told when a job is on another flow', async () => {
    const other = await loadJobRuntime(loadJobConfig('examples/game-of-24/job.yaml', { cwd: ROOT }).config, REAL_PORTS);
    await expect(exportEnvironment(other)).rejects.toThrow(/knows the flow 'retail' alone/);
  });
});

function namedLikePython(payment: NonNullable<ReturnType<typeof analyze>['clauses'][number]['slots']['payment']>): object {
  switch (payment.by) {
    case 'id':
      return { id: payment.id };
    case 'source':
      return { source: payment.source, last_four: payment.lastFour ?? null };
    case 'original':
      return {};
  }
}

/** The same job on the tiny shop. */
async function withOddTasks(runtime: JobRuntime): Promise<JobRuntime> {
  // Of the flow's own class, which is not the one that this module imports.
  const Shop = ((await runtime.tasks()).context as World).constructor as typeof World;
  const tasks = tinyTasks(seededRandom(11), 400).map((task) => ({
    id: task.id,
    key: task.user_id,
    json: JSON.stringify(task),
    origin: task.id,
  }));
  const loaded = { tasks, context: new Shop(tinyShop()) };
  return { ...runtime, tasks: async () => loaded };
}
