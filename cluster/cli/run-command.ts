import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatDollars } from '../../src/budget/money.ts';
import { MillraceError } from '../../src/errors.ts';
import { readTasks } from '../../src/tasks/read.ts';
import { runBatch } from '../../src/workflow/batch.ts';
import type { Models } from '../../src/workflow/current-models.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { modelsOf } from './models-file.ts';
import { loadTarget, type RunTarget } from './run-target.ts';
import { wholeNumber } from './whole-number.ts';

/** Flags of `millrace run`. */
export interface RunFlags {
  prompt?: string;
  task?: string;
  tasks?: string;
  model?: string[];
  models?: string;
  temperature?: string;
  concurrency?: string;
}

/** Runs a flow or workflow for one task, or for each of a file. */
export async function runCommand(context: CliContext, path: string, flags: RunFlags): Promise<void> {
  const given = [flags.prompt, flags.task, flags.tasks].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new MillraceError('invalid_argument', 'Give one of --prompt, --task and --tasks.', { field: '--prompt' });
  const temperature = temperatureOf(flags.temperature);
  const models = chosenModels(context, flags);
  const target = await loadTarget(path, context.cwd);
  const common = { models, signal: context.signal, temperature };
  if (flags.tasks !== undefined) return runAll(context, target, { ...common, flags });
  const task = flags.prompt === undefined ? taskOf(flags.task!, context.cwd) : target.fromPrompt(flags.prompt, 0);
  const { answer, tokens, microDollars } = await target.run(task, { ...common, onStep: (line) => context.note(line) });
  context.print({ answer, tokens, microDollars }, () =>
    typeof answer === 'string' ? `${answer}\n` : `${JSON.stringify(answer, null, 2)}\n`,
  );
  if (tokens > 0) context.note(`${tokens} tokens, ${formatDollars(microDollars)}`);
}

async function runAll(
  context: CliContext,
  target: RunTarget,
  { flags, ...common }: { flags: RunFlags; models: Models; signal: AbortSignal; temperature: number | undefined },
): Promise<void> {
  const { tasks } = await readTasks<unknown>(resolve(context.cwd, flags.tasks!));
  const concurrency = flags.concurrency === undefined ? 4 : wholeNumber(flags.concurrency, '--concurrency', 1, 1024);
  let failed = 0;
  await runBatch(tasks, (task) => target.run(task, { ...common, onStep: (line) => context.detail(line) }), {
    ...{ concurrency, signal: context.signal },
    onResult(ended, done, all) {
      if ('error' in ended) failed += 1;
      const line =
        'error' in ended ? { index: ended.index, error: ended.error.message } : { index: ended.index, ...ended.result };
      context.stdout.write(`${JSON.stringify(line)}\n`);
      context.note(`${done} of ${all}${failed === 0 ? '' : `, ${failed} failed`}`);
    },
  });
  if (failed > 0) context.exitCode = EXIT.failure;
}

/** `--model NAME` is the planner, `--model JUDGE=NAME` another; without any the flow's rule decides. */
function chosenModels(context: CliContext, { model = [], models }: RunFlags): Models {
  if (model.length === 0) return models === undefined ? {} : named(context, models, []);
  return named(context, models, model);
}

function named(context: CliContext, file: string | undefined, chosen: readonly string[]): Models {
  const opened = modelsOf(context, file);
  // All of the file by their own names, as far as they are asked for, and the chosen ones by theirs.
  const all: Record<string, Models[string]> = {};
  for (const name of opened.names)
    Object.defineProperty(all, name, { enumerable: true, configurable: true, get: () => opened.model(name) });
  for (const each of chosen) {
    const [as, name] = each.includes('=') ? (each.split(/=(.*)/s) as [string, string]) : ['planner', each];
    const model = opened.model(name);
    Object.defineProperty(all, as, { enumerable: true, configurable: true, value: model });
  }
  return all;
}

/** JSON, or the name of a file with it after `@`. */
function taskOf(text: string, cwd: string): unknown {
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(resolve(cwd, text.slice(1)), 'utf8') : text) as unknown;
  } catch (cause) {
    throw new MillraceError('invalid_argument', `--task: ${(cause as Error).message}; give JSON, or @FILE`, {
      cause,
      field: '--task',
    });
  }
}

function temperatureOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 2) return value;
  throw new MillraceError('invalid_argument', `--temperature must be a number from 0 to 2, got "${text}"`, {
    field: '--temperature',
  });
}
