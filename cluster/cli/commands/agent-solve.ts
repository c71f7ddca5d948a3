import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../whole-number.ts';

interface SolveFlags {
  task?: string;
  taskFile?: string;
  key?: string;
  requestId?: string;
  timeout?: string;
}

/** `millrace agent solve`. */
export function registerSolve(agent: Command, context: CliContext): void {
  agent
    .command('solve')
    .description('solve a live task with the live policy of an agent, or with that of its experiment')
    .argument('<agent>', 'registered agent')
    .option('--task <json>', 'the task, as the flow wants it')
    .option('--task-file <file>', 'file with the task as JSON')
    .option('--key <text>', 'what is to meet the same policy while an experiment runs: a user, a session (default: the task)')
    .option('--request-id <uuid>', 'makes it safe to send the task again')
    .option('--timeout <seconds>', 'how long it may take, at most 55 (default: 25)')
    .action(async (name: string, options: SolveFlags) => {
      const taskJson = taskOf(options, context.cwd);
      const seconds = options.timeout === undefined ? 25 : wholeNumber(options.timeout, '--timeout', 1, 55);
      const { durationFromMs } = await import('@bufbuild/protobuf/wkt');
      const request = { agent: name, taskJson, stickyKey: options.key ?? '', requestId: options.requestId ?? '' };
      const served = await context.withAdmin((admin) =>
        admin.servePolicy({ ...request, timeout: durationFromMs(1000 * seconds) }, { timeoutMs: 1000 * (seconds + 4) }),
      );
      const [{ toJson }, { ServePolicyResponseSchema }] = await Promise.all([
        import('@bufbuild/protobuf'),
        import('../../../src/gen/millrace/v1/adapters_pb.ts'),
      ]);
      const { answerJson, ...rest } = toJson(ServePolicyResponseSchema, served, { alwaysEmitImplicit: true }) as {
        answerJson: string;
      };
      const answer: unknown = answerJson === '' ? null : JSON.parse(answerJson);
      context.print({ ...rest, answer }, () => `${answerJson}\n`);
      const where = served.experiment === '' ? '' : `, experiment ${served.experiment}`;
      if (!context.json) context.note(`${served.trajectoryId} (${served.version}, ${served.steps} steps${where})`);
    });
}

function taskOf({ task, taskFile }: SolveFlags, cwd: string): string {
  if ((task === undefined) === (taskFile === undefined))
    throw new MillraceError('invalid_argument', 'Give --task or --task-file.', { field: '--task' });
  if (task !== undefined) return task;
  try {
    return readFileSync(resolve(cwd, taskFile!), 'utf8');
  } catch (cause) {
    throw new MillraceError('not_found', `--task-file: ${(cause as Error).message}`, { cause, field: '--task-file' });
  }
}
