import type { Json, Loaded } from 'millrace';
import { generate } from './generator/generate.ts';
import { readWorld } from './world/read.ts';
import type { RetailTask } from './world/records.ts';

/**
 * Reads the world and the tasks from the folder `data`, or makes them up from `seed` where none is given.
 * @throws MillraceError when a file is missing or wrong, or when the generator's options are.
 */
export async function loadTasks(source: {
  data: string | undefined;
  options: Readonly<Record<string, Json>>;
  seed: number;
}): Promise<Loaded<RetailTask>> {
  if (source.data !== undefined) {
    const { world, tasks, origins } = await readWorld(source.data);
    return { tasks, origins, context: world };
  }
  const { world, tasks } = generate(source.options, source.seed);
  return { tasks, origins: tasks.map((task) => `generator(seed ${source.seed}): ${task.id}`), context: world };
}
