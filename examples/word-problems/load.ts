import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, readTasks, z, type Json, type Loaded } from 'millrace';
import { clusters } from './clusters.ts';
import { generate } from './generator/generate.ts';
import type { Problem } from './problem.ts';

const optionsSchema = z.strictObject({
  /** How many problems are made up. */
  problems: z.int().min(20).max(100_000).default(1200),
});

/**
 * Reads problems from `data` (a file of tasks, or a folder with `tasks.json`), or makes them up from the seed where none is
 * given. Near-duplicates get the same `cluster`, so that they end up on the same side of the held-out split.
 * @throws MillraceError when there is no such file, or the options are wrong.
 */
export async function loadProblems(source: {
  data: string | undefined;
  options: Readonly<Record<string, Json>>;
  seed: number;
}): Promise<Loaded<Problem>> {
  const { data, options, seed } = source;
  const { tasks, origins } = data === undefined ? makeUp(options, seed) : await readTasks<Problem>(await fileIn(data));
  // Whether they are problems at all is checked afterwards, with their place in the file.
  const names = clusters(tasks.map((task) => String((task as Partial<Problem> | null)?.question ?? '')));
  return {
    tasks: tasks.map((task, i) => (isRecord(task) ? { ...task, cluster: `cluster-${names[i]}` } : task)),
    ...(origins !== undefined && { origins }),
  };
}

function isRecord(task: unknown): boolean {
  return typeof task === 'object' && task !== null && !Array.isArray(task);
}

function makeUp(options: Readonly<Record<string, Json>>, seed: number): Loaded<Problem> {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = ['source', ...(issue?.path.map(String) ?? [])].join('.');
    throw new MillraceError('invalid_argument', `${field}: ${issue?.message ?? 'not valid'}`, { field });
  }
  const tasks = generate(parsed.data.problems, seed);
  return { tasks, origins: tasks.map((task) => `generator(seed ${seed}): ${task.id}`) };
}

async function fileIn(data: string): Promise<string> {
  try {
    return (await stat(data)).isDirectory() ? join(data, 'tasks.json') : data;
  } catch (cause) {
    throw new MillraceError(
      'not_found',
      `There is no ${data}. Give --data a folder that holds tasks.json, or such a file: a list of {id, question, numbers, answer} with number0, number1 … in the question; or leave it out for made-up problems.`,
      { cause, field: 'data' },
    );
  }
}
