import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { DurableFinding } from '../admin/finding.ts';
import { confirm } from './confirm.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { oneLine } from './format.ts';
import { checkStateFolder, checkStreamFiles } from './state-folder-check.ts';
import { fields } from './table.ts';

/** Looks at the files of the state folder and, where a cluster answers, at what it keeps in JetStream. */
export async function doctor(context: CliContext): Promise<void> {
  const local = await checkStateFolder(context.stateDir);
  const remote = await diagnoseCluster(context);
  const jetStream = remote ?? (await checkStreamFiles(context.stateDir));
  const findings = [...local.findings, ...jetStream.findings];
  const checked = local.checked + jetStream.checked;
  context.print({ checked, cluster: remote !== undefined, findings }, () => text(findings, checked));
  if (findings.length > 0) context.exitCode = EXIT.failure;
}

/** Undefined when no cluster answers, which is said. */
async function diagnoseCluster(context: CliContext): Promise<{ findings: DurableFinding[]; checked: number } | undefined> {
  try {
    return await context.withAdmin((admin) => admin.diagnose({}));
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    const absent = error.code === 'unavailable' || (error.code === 'failed_precondition' && context.address === undefined);
    if (!absent) throw error;
    context.note(`${error.message} Only the files of ${context.stateDir} were checked.`);
    return undefined;
  }
}

function text(findings: readonly DurableFinding[], checked: number): string {
  if (findings.length === 0) return `${checked} items checked, nothing is damaged\n`;
  const parts = findings.map(({ place, what, problem, advice }) =>
    fields([
      [what, oneLine(place)],
      ['problem', oneLine(problem)],
      ['what to do', oneLine(advice)],
    ]),
  );
  return `${parts.join('\n')}\n${findings.length} of ${checked} things are damaged\n`;
}

/** Removes one thing; its value is kept in `<state folder>/removed`. */
export async function requestRemoval(place: string, yes: boolean, context: CliContext): Promise<void> {
  await confirm(`Removing ${place}`, yes, context);
  const { value } = await context.withAdmin((admin) => admin.removeDamaged({ place }));
  const kept = value.length === 0 ? undefined : await saveCopy(context.stateDir, place, value);
  context.print({ removed: place, ...(kept !== undefined && { kept }) }, () => `${place} is removed\n`);
  if (kept !== undefined && !context.json) context.note(`its value is kept in ${kept}`);
}

async function saveCopy(stateDir: string, place: string, value: Uint8Array): Promise<string> {
  const folder = join(stateDir, 'removed');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${place.replace(/[^\w.=-]/g, '_')}.${Date.now()}`);
  await writeFile(path, value, { mode: 0o600 });
  return path;
}
