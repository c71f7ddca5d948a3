import { topology } from '../../src/protocol/topology.ts';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allStreamConfigs, fixedProblem, type AskedConfig } from '../../src/bus/nats/stream-config.ts';
import { verifyCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { DurableFinding } from '../admin/finding.ts';
import { SHARED_DURABLES } from '../../src/protocol/durables.ts';
import { adminFilePath, readAdminFile } from '../up/admin-file.ts';
import { NATS_FOLDER } from '../up/lock.ts';
import { readState } from './tune/state-file.ts';

/** Reads every file of a state folder that Millrace wrote and can read without a server. */
export async function checkStateFolder(stateDir: string): Promise<{ findings: DurableFinding[]; checked: number }> {
  const findings: DurableFinding[] = [];
  let checked = 0;
  const check = async (place: string, what: string, advice: string, read: () => unknown): Promise<void> => {
    checked += 1;
    try {
      await read();
    } catch (thrown) {
      findings.push({ place, what, problem: MillraceError.from(thrown).message, advice, removable: false });
    }
  };
  const deletion = (path: string): string => `rm -r ${quoted(path)}`;

  const admin = adminFilePath(stateDir);
  await check(admin, 'admin file', `${deletion(admin)}; a cluster that starts writes it anew`, () => readAdminFile(stateDir));
  const lock = join(stateDir, 'lock');
  if ((await names(stateDir)).includes('lock')) {
    await check(lock, 'lock', 'nothing: the next cluster that starts in the folder replaces it', async () => {
      const content = await readFile(lock, 'utf8');
      if (!/^\d+ \d*$/.test(content.trimEnd())) throw new MillraceError('data_loss', 'it names no process');
    });
  }
  for (const job of await names(join(stateDir, 'checkpoints'))) {
    for (const version of await names(join(stateDir, 'checkpoints', job))) {
      // A draft of a checkpoint that was never finished.
      if (version.startsWith('.')) continue;
      const path = join(stateDir, 'checkpoints', job, version);
      await check(path, 'checkpoint', `use another one; ${deletion(path)}`, () => verifyCheckpoint(path));
    }
  }
  for (const file of await names(join(stateDir, 'tune'))) {
    if (!file.endsWith('.json')) continue;
    const path = join(stateDir, 'tune', file);
    await check(path, 'state of a search', `${deletion(path)}; the search begins anew`, () => readState(path));
  }
  return { findings, checked };
}

/** Looks at the settings of the streams and durables that lie in a state folder: those that would keep a cluster from starting. */
export async function checkStreamFiles(stateDir: string): Promise<{ findings: DurableFinding[]; checked: number }> {
  const findings: DurableFinding[] = [];
  let checked = 0;
  const check = async <T>(
    folder: string,
    what: string,
    afterwards: string,
    problemOf: (config: T) => string | undefined,
  ): Promise<void> => {
    checked += 1;
    const problem = await metaFileProblem(join(folder, 'meta.inf'), problemOf);
    if (problem === undefined) return;
    const advice = `stop the cluster, then rm -r ${quoted(folder)}; ${afterwards}`;
    findings.push({ place: folder, what, problem, advice, removable: false });
  };
  const wanted = new Map(allStreamConfigs(topology()).map((config) => [config.name, config]));
  const accounts = join(stateDir, NATS_FOLDER, 'jetstream');
  for (const account of await names(accounts)) {
    for (const name of await names(join(accounts, account, 'streams'))) {
      const asked = wanted.get(name);
      if (asked === undefined) continue;
      const folder = join(accounts, account, 'streams', name);
      await check(folder, 'stream', 'a start makes it again, what is in it is lost', (config: Partial<AskedConfig>) =>
        fixedProblem(asked, config),
      );
      const kept = await names(join(folder, 'obs'));
      for (const { durable, filter } of SHARED_DURABLES.filter(({ stream }) => stream === name)) {
        if (!kept.includes(durable)) continue;
        const problem = ({ filter_subject: has }: { filter_subject?: string }): string | undefined =>
          has === filter ? undefined : `its filter is ${has ?? '(none)'}, not ${filter}`;
        await check(join(folder, 'obs', durable), 'durable', 'a start makes it again', problem);
      }
    }
  }
  return { findings, checked };
}

/** What is wrong with a file of nats-server's that holds the configuration of something. */
async function metaFileProblem<T>(path: string, problemOf: (config: T) => string | undefined): Promise<string | undefined> {
  try {
    return problemOf(JSON.parse(await readFile(path, 'utf8')) as T);
  } catch {
    return 'its meta.inf is not JSON (truncated, or something else)';
  }
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).then(
    (found) => found.sort(),
    () => [],
  );
}

function quoted(path: string): string {
  return /^[\w./=@:-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
