import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { remember } from '../../src/flow/memory.ts';
import { parseTask } from '../../src/flow/check-task.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import { fileLines } from './file-lines.ts';

/** What the planner sees at the beginning of a task, as JSON; undefined for a task that is not one of the job's. */
export type FirstPlans = (task: string) => string | undefined;

/** The store does not hold what a planner was shown. It follows from flow and task, so it is made again here. */
export async function firstPlans(config: JobConfig): Promise<FirstPlans> {
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  const { flow } = runtime;
  const { tasks: loaded, context } = await runtime.tasks();
  const byId = new Map(loaded.map(({ id, json }) => [id, json]));
  const plans = new Map<string, string>();
  return (id) => {
    const json = byId.get(id);
    if (json === undefined) return undefined;
    let plan = plans.get(id);
    if (plan === undefined) {
      const checked = parseTask(flow, json);
      if ('problem' in checked)
        throw new MillraceError('invalid_argument', `task ${id}: ${checked.problem}`, { field: '--inputs' });
      plan = JSON.stringify(flow.plan(remember(flow, checked.task, context)));
      plans.set(id, plan);
    }
    return plan;
  };
}

/** The beginning of every line of an export that has no input. */
const WITHOUT = /^\{"task_id":("(?:[^"\\]|\\.)*"),"input":null,/;

/** Copies lines of an export from `from` to `to` with their inputs; returns how many stay without. */
export async function fillInputs(from: string, to: string, plans: FirstPlans): Promise<number> {
  let without = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const { text } of fileLines(from)) {
      yield `${text.replace(WITHOUT, (beginning: string, task: string) => {
        const plan = plans(JSON.parse(task) as string);
        if (plan === undefined) without += 1;
        return plan === undefined ? beginning : `{"task_id":${task},"input":${JSON.stringify(plan)},`;
      })}\n`;
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(to));
  return without;
}
