import { table } from '../../cluster/cli/table.ts';
import { CASES, caseName, type ComputeCase } from '../compute/cases.ts';
import { Participant } from '../compute/participant.ts';
import { backendCommand, MEASURED_BACKENDS } from '../compute/participants.ts';
import { integerOf, listOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { type Course, growth, mebibytes } from './growth.ts';

/** Steps before the first look: compilers, caches and heaps find their size. */
const WARM_UP = 200;

interface Options {
  steps: string;
  policies?: string;
  backends?: string;
}

/** Trains each policy for thousands of steps and fails when anything is kept. */
export const memory: Scenario = {
  name: 'memory',
  summary: 'thousands of training steps of each policy: tensors, their bytes and resident memory must not grow',
  configure(command) {
    command
      .option('--steps <n>', 'training steps of each policy', '2000')
      .option('--policies <list>', 'only these policies: bag, gru, transformer')
      .option('--backends <list>', 'these backends, of native, tensorflow and wasm (default: the first of them that works)');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const steps = integerOf('--steps', options.steps, 2);
    const cases = smallest(listOf('--policies', options.policies, ['bag', 'gru', 'transformer']));
    const rows: string[][] = [];
    const problems: string[] = [];
    for (const backend of listOf('--backends', options.backends, MEASURED_BACKENDS)) {
      const measured = await onBackend(backend, cases, steps, context);
      for (const { each, course } of measured ?? []) {
        const name = [backend, caseName(each)];
        ['start', 'middle', 'end'].forEach((when, i) => {
          const { tensors, bytes, rss } = course[i]!;
          rows.push([...name, when, String(tensors), mebibytes(bytes), mebibytes(rss)]);
        });
        problems.push(...growth(course).map((problem) => `${name.join(' ')}: ${problem}`));
      }
      if (measured !== undefined && options.backends === undefined) break;
    }
    context.print(table(['BACKEND', 'POLICY', 'WHEN', 'TENSORS', 'MiB', 'RSS MiB'], rows, { right: [3, 4, 5] }).trimEnd());
    if (rows.length === 0) context.note('no backend works here');
    problems.forEach((problem) => context.note(`growth: ${problem}`));
    return rows.length > 0 && problems.length === 0 ? 0 : 1;
  },
};

/** The smallest case of each policy: what leaks does so at any size, and small steps are many. */
function smallest(policies: readonly string[]): ComputeCase[] {
  return policies.map((policy) => CASES.find((each) => each.policy === policy)!);
}

/** Undefined when the backend does not work here. */
async function onBackend(
  backend: string,
  cases: readonly ComputeCase[],
  steps: number,
  context: BenchContext,
): Promise<{ each: ComputeCase; course: Course }[] | undefined> {
  const measured: { each: ComputeCase; course: Course }[] = [];
  for (const each of cases) {
    // A process for each: what one policy leaves must not hide what the next one takes.
    const participant = new Participant(backendCommand(backend, ['--expose-gc']), {
      patienceMs: 1_800_000,
      signal: context.signal,
    });
    try {
      const hello = await participant.hello();
      if ('unavailable' in hello) {
        context.note(`${backend} is left out: ${hello.unavailable}`);
        return undefined;
      }
      context.note(`${backend}, ${caseName(each)}: ${steps} steps`);
      await participant.load(CASES.indexOf(each), '');
      const start = await participant.run(WARM_UP);
      const middle = await participant.run(Math.ceil(steps / 2));
      const end = await participant.run(Math.floor(steps / 2));
      measured.push({ each, course: [start, middle, end] });
    } finally {
      await participant.stop();
    }
  }
  return measured;
}
