import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { FROM_SOURCES, PACKAGE_FOLDER, scriptCommand } from '../../installation.ts';
import { STORE_FOLDERS, storeRules, tsxCache, type Rules } from './rules.ts';

/** Program that restricts itself and becomes another one; built by the setup (scripts/setup/confinement.js). */
const PROGRAM = join(PACKAGE_FOLDER, 'src', 'store', 'confinement', 'build', 'confine');
const CHECK_MS = 20_000;

/** Command prefix under which a process can reach only what the rules name; undefined, with the reason, where that cannot be. */
export type Confinement = { readonly prefix: readonly string[] } | { readonly prefix: undefined; readonly reason: string };

/**
 * How to start the process of the embedded store so that nothing in it, the engine included, can reach files other than its own
 * (docs/adr/0045-*). Makes the store's folders in `stateDir`, and tries the confinement with a process that does nothing: a
 * machine on which Node.js would not start under it is told, not broken.
 *
 * @param options.program - the program that confines
 * @param options.files - what the process reads besides
 */
export async function storeConfinement(
  stateDir: string,
  { program = PROGRAM, files = [] }: { program?: string; files?: readonly string[] } = {},
): Promise<Confinement> {
  if (process.platform !== 'linux') return none('only Linux has Landlock');
  if (!existsSync(program)) return none(`the program that does it is not built; "${scriptCommand('setup:native')}" builds it`);
  for (const name of STORE_FOLDERS) makeFolder(join(stateDir, name));
  // tsx wants its cache to be there.
  if (FROM_SOURCES) mkdirSync(tsxCache(), { recursive: true });
  const prefix = confined(storeRules(stateDir, process.env, files), program);
  const failure = await run([...prefix, process.execPath, '-e', '0']);
  return failure === undefined ? { prefix } : none(failure);
}

/** Throws `failed_precondition` when it cannot be made. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new MillraceError(
      'failed_precondition',
      `The folder ${path} cannot be made (${why}): move what is in its place, or choose another state folder with --state.`,
      { cause },
    );
  }
}

/** Command prefix of a process that can reach what the rules name. */
function confined({ read, write, run: runs }: Rules, program: string): string[] {
  const options = (name: string, paths: readonly string[]): string[] => paths.flatMap((path) => [name, path]);
  return [program, ...options('--read', read), ...options('--write', write), ...options('--run', runs), '--'];
}

const none = (reason: string): Confinement => ({ prefix: undefined, reason });

/** Undefined when the command ended well, otherwise the last thing that it said. */
function run([command, ...args]: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command!, args, { timeout: CHECK_MS }, (error, _, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(stderr.trim().split('\n').at(-1) || error.message);
    });
  });
}
