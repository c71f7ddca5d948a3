import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { CliContext } from './context.ts';
import { exportInit, type RequestFlags } from './export-request.ts';
import { exportTrajectories, type Exported } from './export-trajectories.ts';
import { byteSize, duration } from './format.ts';
import type { FirstPlans } from './inputs.ts';
import { PartialFile } from './partial-file.ts';
import { stdoutSink } from './stdout-sink.ts';
import { withTransfer, type ExportInit } from './transfer.ts';

/** Options of `millrace export`. */
export interface ExportFlags extends RequestFlags {
  /** File to write; `-` is the standard output. */
  out: string;
  /** Goes on with an export to the same file that was interrupted. */
  resume?: boolean;
  /** Job file whose flow and tasks give what the planner saw first. */
  inputs?: string;
}

/** Writes trajectories to the standard output or to a file. */
export async function runExport(flags: ExportFlags, context: CliContext): Promise<void> {
  const request = exportInit(flags);
  checkTarget(flags);
  const plans = flags.inputs === undefined ? undefined : await plansOf(context, flags.inputs);
  const startedAt = performance.now();
  const toStdout = flags.out === '-';
  const exported = toStdout
    ? await withTransfer(context, (transfer) => exportTrajectories(context, transfer, request, stdoutSink(context)))
    : await exportToFile(flags, { request, plans }, context);
  const seconds = (performance.now() - startedAt) / 1000;
  const things = flags.format === 'conversations' ? 'conversations' : 'trajectories';
  const what = flags.format === 'parquet' ? '' : `${exported.done} ${things}, `;
  const text = `${what}${byteSize(exported.bytes)} in ${duration(seconds)}${toStdout ? '' : ` in ${flags.out}`}`;
  if (toStdout || !context.json) return context.note(text);
  const count = flags.format === 'parquet' ? {} : { [things]: exported.done };
  context.print({ file: resolve(context.cwd, flags.out), ...count, bytes: exported.bytes, seconds }, () => '');
}

/** Throws where the options need a file and none is named. */
function checkTarget({ out, format, inputs, steps, resume }: ExportFlags): void {
  const isParquet = format === 'parquet';
  if (format === 'conversations') {
    if (out === '-') throw misused('Conversations go to a file: give --out FILE.', '--out');
    if (steps || inputs !== undefined)
      throw misused(
        'A conversation holds its steps and what was asked: leave --steps and --inputs out.',
        steps ? '--steps' : '--inputs',
      );
  }
  if (inputs !== undefined && (isParquet || out === '-'))
    throw misused('--inputs goes into JSON lines in a file: give --out FILE.', '--inputs');
  if (out !== '-') return;
  if (isParquet) throw misused('Parquet goes to a file: give --out FILE.', '--out');
  if (resume) throw misused('--resume continues a file: give --out FILE.', '--resume');
}

function misused(message: string, field: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}

/** Exports into a file that takes its name when it is complete; what has come before an error stays beside it. */
async function exportToFile(
  flags: ExportFlags,
  { request, plans }: { request: ExportInit; plans: FirstPlans | undefined },
  context: CliContext,
): Promise<Exported> {
  const path = resolve(context.cwd, flags.out);
  const { resume, out, ...same } = flags;
  const of = JSON.stringify(same, Object.keys(same).sort());
  const file = resume ? PartialFile.resume(path, of) : PartialFile.create(path, of);
  try {
    const { done } = await withTransfer(context, (transfer) => exportTrajectories(context, transfer, request, file));
    if (plans) {
      const { fillInputs } = await import('./inputs.ts');
      const without = await fillInputs(file.partial, `${file.partial}.filled`, plans);
      if (without > 0) context.note(`${without} lines are without input: ${flags.inputs ?? ''} does not have their tasks`);
      file.finish(`${file.partial}.filled`);
    } else if (flags.format === 'conversations') {
      const { writeConversations } = await import('./conversations.ts');
      const { written, leftOut } = await writeConversations(file.partial, `${file.partial}.filled`);
      for (const text of leftOut) context.note(text);
      file.finish(`${file.partial}.filled`);
      return { done: written, bytes: statSync(path).size };
    } else file.finish();
    return { done, bytes: file.bytes };
  } catch (error) {
    file.leave();
    if (file.cursor !== '') context.note(`what has come is in ${out}.partial; --resume goes on from there`);
    throw error;
  }
}

async function plansOf({ cwd, env }: CliContext, job: string): Promise<FirstPlans> {
  const [{ loadJobConfig }, { firstPlans }] = await Promise.all([import('../../src/config/load.ts'), import('./inputs.ts')]);
  return firstPlans(loadJobConfig(job, { cwd, env }).config);
}
