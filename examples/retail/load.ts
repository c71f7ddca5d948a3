import { MillraceError, type Json, type Loaded } from 'millrace';
import { readWorld } from './world/read.ts';
import type { RetailTask } from './world/records.ts';

/** Reads the world and the tasks from the folder `data`, or makes them up from `seed` where none is given. */
export async function loadTasks(source: {
  data: string | undefined;
  options: Readonly<Record<string, Json>>;
  seed: number;
}): Promise<Loaded<RetailTask>> {
  if (source.data !== undefined) {
    const { world, tasks, origins } = await readWorld(source.data);
    return { tasks, origins, context: world };
  }
  throw new MillraceError('unimplemented', 'no generator yet');
}
