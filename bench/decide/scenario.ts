import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime, type JobRuntime } from '../../cluster/jobs/runtime.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { loadPolicy } from '../../src/serving/index.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { append, natural } from '../load/options.ts';
import { quantile } from '../load/quantile.ts';
import { withScratch } from '../load/scratch.ts';
import { gateLines } from '../load/table.ts';
import type { Scenario } from '../scenario.ts';

const JOB = fileURLToPath(new URL('../../examples/retail/job.yaml', import.meta.url));
const GATES = ['p50Ms<=2'];
const FIGURES = ['p50Ms', 'p95Ms', 'p99Ms', 'loadMs'];
/** Before the first decision that counts: compilers warm up. */
const WARM_UP_TASKS = 5;

interface Options {
  checkpoint?: string;
  tasks: number;
  json?: string;
  gate: string[];
}

/** How long a policy that an application loaded takes for one decision. */
export const decide: Scenario = {
  name: 'decide',
  summary: 'milliseconds of one decision of a policy of examples/retail that loadPolicy loaded, one task after the other',
  configure(command) {
    command
      .option('--checkpoint <folder>', 'a checkpoint of examples/retail (default: new weights, of the same size)')
      .option('--tasks <n>', 'tasks that are measured', natural, 200)
      .option('--gate <bound>', 'figure and bound in place of the default, e.g. "p99Ms<=5"; may be repeated', append, [])
      .option('--json <file>', 'also write the result to this file');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const runtime = await loadJobRuntime(loadJobConfig(JOB).config, REAL_PORTS);
    const before = loadavg()[0]!;
    const timed = await withScratch(async (folder) =>
      decisions(
        runtime,
        options.checkpoint ?? (await newCheckpoint(runtime, join(folder, 'v000000'))),
        options.tasks,
        context.signal,
      ),
    );
    const { ms, loadMs } = timed;
    const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((p) => quantile(ms, p));
    const figures = { decisions: ms.length, p50Ms, p95Ms, p99Ms, loadMs, loadAverage: [before, loadavg()[0]!] };
    const checked = checkGates(gates, figures);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ ...figures, gates: checked }, null, 2)}\n`);
    context.print(
      `${ms.length} decisions of ${options.tasks} tasks, load average ${figures.loadAverage.map((of) => of.toFixed(1)).join(' to ')}`,
    );
    context.print(
      `a decision: p50 ${p50Ms!.toFixed(2)} ms, p95 ${p95Ms!.toFixed(2)} ms, p99 ${p99Ms!.toFixed(2)} ms; loading: ${loadMs.toFixed(0)} ms`,
    );
    gateLines(checked).forEach((line) => context.note(line));
    return checked.every(({ kept }) => kept) ? 0 : 1;
  },
};

/** A checkpoint of weights that nothing has trained: what a decision costs does not depend on their values. */
async function newCheckpoint({ kind, spec }: JobRuntime, folder: string): Promise<string> {
  await saveCheckpoint(folder, { spec, parameters: kind.initial(spec), meta: { job: 'bench', version: 0 } });
  return folder;
}

/** Milliseconds of each decision, the flow's plan included and its tools not. */
async function decisions(
  { flow, ...runtime }: JobRuntime,
  checkpoint: string,
  count: number,
  signal: AbortSignal,
): Promise<{ ms: number[]; loadMs: number }> {
  const { tasks } = await runtime.tasks();
  const context = await runtime.context();
  const begun = performance.now();
  const policy = await loadPolicy(checkpoint, flow, { context });
  const loadMs = performance.now() - begun;
  const ms: number[] = [];
  try {
    for (let i = -WARM_UP_TASKS; i < count; i += 1) {
      signal.throwIfAborted();
      const run = policy.start(JSON.parse(tasks[(i + WARM_UP_TASKS) % tasks.length]!.json));
      for (;;) {
        const taken = run.steps;
        const asked = performance.now();
        const action = await run.next();
        const elapsed = performance.now() - asked;
        if (action === undefined) break;
        // Decisions that the flow itself refused were made on the way to this one.
        if (i >= 0) ms.push(elapsed / (run.steps - taken + 1));
        await run.act();
      }
    }
  } finally {
    policy.close();
  }
  return { ms, loadMs };
}
