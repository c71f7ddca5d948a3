import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { MillraceError } from '../../src/errors.ts';
import { integerOf, listOf, oneOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { CASES, type ComputeCase } from './cases.ts';
import { type Clock, FULL, measure, QUICK } from './measure.ts';
import { type Command, Participant } from './participant.ts';
import { backendCommand, MEASURED_BACKENDS, pinnableCore, PYTORCH_MISSING, pytorchCommand } from './participants.ts';
import { computeTable, rowsOf } from './report.ts';

/** Options of `npm run bench -- compute`, as parsed. */
interface Options {
  json?: string;
  policies?: string;
  backends?: string;
  sizes?: string;
  quick?: true;
  clock: string;
  core?: string;
}

/** Training step and forward pass of the three policies on each backend, beside PyTorch on the same core. */
export const compute: Scenario = {
  name: 'compute',
  summary: 'training step and forward pass of the policies on each backend beside PyTorch on the same core',
  configure(command) {
    command
      .option('--json <file>', 'also write the rows to this file')
      .option('--policies <list>', 'only these policies: bag, gru, transformer')
      .option('--sizes <list>', 'only these sizes, as the table names them')
      .option('--backends <list>', `only these backends: ${MEASURED_BACKENDS.join(', ')}`)
      .option('--quick', 'fewer repetitions: a look, not a measurement')
      .option('--clock <clock>', 'wall, or cpu: time of the process on its processor, for machines that others use', 'wall')
      .option('--core <n>', 'processor core that all participants are pinned to (default: the last one)');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const cases = chosenCases(options);
    const clock = oneOf<Clock>('--clock', options.clock, ['wall', 'cpu']);
    const backends = listOf('--backends', options.backends, MEASURED_BACKENDS);
    const core = coreOf(options.core);
    const participants = await startAll(backends, core, context);
    try {
      const load = loadavg()[0]!;
      context.note(
        `${core === undefined ? 'not pinned to a core (no taskset here)' : `all on core ${core}, in turns`}; load average ${load.toFixed(1)}`,
      );
      const measured = await measure(participants, cases, options.quick ? QUICK : FULL, context);
      const rows = rowsOf(measured, clock);
      context.print(computeTable(rows).trimEnd());
      const shared = measured.reduce((sum, { wallMs, cpuMs }) => sum + wallMs / cpuMs, 0) / measured.length;
      if (shared > 1.15 && clock === 'wall') {
        context.note(
          `others used the core: steps took ${shared.toFixed(2)} times their processor time; "--clock cpu" compares processor time`,
        );
      }
      if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
      return 0;
    } finally {
      await Promise.all(participants.map((participant) => participant.stop()));
    }
  },
};

/** Starts PyTorch and the backends that work here; says why others do not take part. */
async function startAll(backends: readonly string[], core: number | undefined, context: BenchContext): Promise<Participant[]> {
  const peer = pytorchCommand();
  if (peer === undefined) context.note(PYTORCH_MISSING);
  const commands: Command[] = [...(peer ? [peer] : []), ...backends.map((name) => backendCommand(name))];
  const ready: Participant[] = [];
  try {
    for (const command of commands) {
      const participant = new Participant(command, { core, signal: context.signal });
      ready.push(participant);
      const hello = await participant.hello();
      const works = 'ready' in hello;
      context.note(works ? `${command.name}: ${hello.ready}` : `${command.name} is left out: ${hello.unavailable}`);
      if (!works) await ready.pop()!.stop();
    }
    if (ready.some(({ name }) => backends.includes(name))) return ready;
    throw new MillraceError('failed_precondition', `none of the backends ${backends.join(', ')} works here`);
  } catch (thrown) {
    await Promise.all(ready.map((participant) => participant.stop()));
    throw thrown;
  }
}

/** The cases that the options name. */
export function chosenCases({ policies, sizes }: Pick<Options, 'policies' | 'sizes'>): ComputeCase[] {
  const policyNames = [...new Set(CASES.map(({ policy }) => policy as string))];
  const wanted = listOf('--policies', policies, policyNames);
  const of = CASES.filter(({ policy }) => wanted.includes(policy));
  const sizeNames = listOf(
    '--sizes',
    sizes,
    of.map(({ size }) => size),
  );
  return of.filter(({ size }) => sizeNames.includes(size));
}

function coreOf(given: string | undefined): number | undefined {
  return given === undefined ? pinnableCore() : integerOf('--core', given, 0);
}
