import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The sources that run. */
export interface Commit {
  /** As git names it; `unknown` where there is no git. */
  id: string;
  /** There are changes that are not in the commit. */
  hasLocalChanges: boolean;
}

export function currentCommit(): Commit {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return { id: git('rev-parse', '--short=12', 'HEAD'), hasLocalChanges: git('status', '--porcelain') !== '' };
  } catch {
    return { id: 'unknown', hasLocalChanges: false };
  }
}

/**
 * The command that runs a seed again exactly, on one line.
 *
 * @param onlyFaults - file with the ids of the faults that may strike
 */
export function replayCommand(commit: Commit, seed: number, onlyFaults?: string): string {
  const run = `npm run simulate -- --seed ${seed}${onlyFaults === undefined ? '' : ` --only-faults ${onlyFaults}`}`;
  return commit.id === 'unknown' ? run : `git checkout ${commit.id} && ${run}`;
}
