import type { Progress } from './progress.ts';
import type { RecordOrder } from './record-main.ts';
import { syntheticTemplates, type GroupTemplate } from './templates.ts';
import { startWorker } from './worker.ts';

/** Groups that messages are made of. */
const TEMPLATES = 64;

/** Made-up groups, or groups of real flows that run now, once, in a process of their own. */
export async function templatesOf(
  data: 'synthetic' | 'recorded',
  progress: Progress,
  signal: AbortSignal,
): Promise<GroupTemplate[]> {
  if (data === 'synthetic') return syntheticTemplates(TEMPLATES);
  signal.throwIfAborted();
  const recorder = startWorker<RecordOrder, GroupTemplate[], number>({
    name: 'recorder',
    entry: new URL('./record-main.ts', import.meta.url),
    onEvent: (groups) => progress.say(`recording examples/retail · ${groups} of ${TEMPLATES} groups`),
  });
  const interrupt = (): void => recorder.kill();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await recorder.order({ groups: TEMPLATES });
  } finally {
    signal.removeEventListener('abort', interrupt);
    await recorder.stop();
  }
}
