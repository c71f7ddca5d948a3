import type { ArtifactStore } from '../../src/artifacts/artifacts.ts';
import type { Checkpoint, SavedCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadStoredCheckpoint } from '../../src/checkpoint/load.ts';
import { removeFolder } from '../../src/checkpoint/remove-folder.ts';
import { checkpointPath } from '../../src/checkpoint/paths.ts';
import { saveCheckpoint, storeCheckpoint } from '../../src/checkpoint/save.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Files } from '../../src/files/files.ts';
import { droppedVersions } from '../../src/jobs/kept-checkpoints.ts';
import type { CheckpointRecord, JobRecord } from '../../src/jobs/record.ts';
import type { PolicyKinds } from '../../src/policy/registry.ts';
import type { JobContext } from './context.ts';
import { referencedArtifacts, storedReferences } from './artifacts.ts';

/** What the checkpoints of jobs need of a node. */
export interface CheckpointContext extends Pick<JobContext, 'clock' | 'jobs' | 'log' | 'notices'> {
  readonly artifacts: ArtifactStore;
  readonly files: Files;
  readonly stateDir: string;
}

/**
 * Writes a checkpoint of a job's version and lists it in the job's record: all of it or, where this throws, nothing that anybody would read. On a
 * machine whose artifacts are a folder it is a folder as well.
 */
export async function keepCheckpoint(
  context: CheckpointContext,
  { job, version }: { job: string; version: number },
  checkpoint: Checkpoint,
): Promise<SavedCheckpoint> {
  const { artifacts, clock, files, stateDir } = context;
  const inFolders = artifacts.pathOf !== undefined;
  const folder = checkpointPath(stateDir, job, version);
  const saved = await (inFolders
    ? saveCheckpoint(folder, checkpoint, { artifacts, files })
    : storeCheckpoint(artifacts, checkpoint));
  const entry: CheckpointRecord = { version, ...saved, at: Math.round(clock.now()) };
  await context.jobs.update(job, (record) => ({
    ...record,
    checkpoints: [...record.checkpoints.filter((other) => other.version !== version), asPublished(record, entry)].sort(
      (a, b) => a.version - b.version,
    ),
    checkpoint: inFolders ? folder : `${job}@${version}`,
  }));
  void context.notices.resolve(job, 'CHECKPOINT_DAMAGED', subjectOf(version));
  return saved;
}

/** One that is written again stays what it was. */
function asPublished({ checkpoints }: JobRecord, entry: CheckpointRecord): CheckpointRecord {
  const { published } = checkpoints.find(({ version }) => version === entry.version) ?? {};
  return published === true ? { ...entry, published } : entry;
}

/** Deletes the checkpoints of a job that need not stay, with the artifacts that they alone refer to. Returns their versions. */
export async function dropCheckpoints(context: CheckpointContext, job: string): Promise<number[]> {
  let dropped: CheckpointRecord[] = [];
  let versions: number[] = [];
  // The record first: what it lists is there.
  await context.jobs.update(job, (record) => {
    versions = droppedVersions(record);
    const gone = new Set(versions);
    dropped = record.checkpoints.filter(({ version }) => gone.has(version));
    if (dropped.length === 0) return undefined;
    return { ...record, checkpoints: record.checkpoints.filter(({ version }) => !gone.has(version)) };
  });
  const newest = context.jobs.get(job)?.record.checkpoint;
  for (const version of versions) {
    const folder = checkpointPath(context.stateDir, job, version);
    // The newest of a job of an older build, which lists none.
    if (folder !== newest) await removeFolder(context.files, folder);
  }
  await removeUnreferenced(
    context,
    dropped.map(({ digest }) => digest),
  );
  for (const { version } of dropped) void context.notices.resolve(job, 'CHECKPOINT_DAMAGED', subjectOf(version));
  return versions;
}

/**
 * Deletes what checkpoints that nobody lists any more refer to: at once, since the artifacts of a large policy fill a disk. A folder that has the
 * same content keeps it, as links of its own.
 */
async function removeUnreferenced(context: CheckpointContext, digests: readonly string[]): Promise<void> {
  if (digests.length === 0) return;
  const own = await Promise.all(digests.map(async (digest) => [digest, ...(await storedReferences(context.artifacts, digest))]));
  const others = await referencedArtifacts(context);
  for (const digest of new Set(own.flat())) if (!others.has(digest)) await context.artifacts.remove(digest);
}

/** A checkpoint of a job with what its record says of it. */
export interface FoundCheckpoint {
  entry: CheckpointRecord;
  checkpoint: Checkpoint;
}

/**
 * Reads a checkpoint that the job's record lists.
 *
 * @param version - default: the newest that is whole; each newer one that is not is a notice of the job
 * @throws MillraceError `not_found` (field `from`) when there is none, `data_loss` when it, or each of them, is damaged; `unavailable` while the
 *   artifacts cannot be reached
 */
export async function findCheckpoint(
  context: Pick<CheckpointContext, 'artifacts' | 'notices'>,
  { id, checkpoints }: Pick<JobRecord, 'id' | 'checkpoints'>,
  { version, kinds }: { version: number | undefined; kinds: PolicyKinds },
): Promise<FoundCheckpoint> {
  const wanted = checkpoints.filter((entry) => version === undefined || entry.version === version);
  const problems: string[] = [];
  for (const entry of wanted.toSorted((a, b) => b.version - a.version)) {
    try {
      return { entry, checkpoint: await loadStoredCheckpoint(context.artifacts, entry.digest, { kinds }) };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.retryable) throw error;
      problems.push(error.message);
      await context.notices.report(id, damaged(entry, error.message, version === undefined));
    }
  }
  const listed = checkpoints.map((entry) => entry.version).join(', ');
  if (problems.length === 0) {
    const kept = listed === '' ? '' : `; those of versions ${listed} are kept`;
    const what = version === undefined ? 'a checkpoint' : `a checkpoint of version ${version}`;
    throw new MillraceError('not_found', `Job "${id}" does not have ${what}${kept}.`, { field: 'from' });
  }
  const which = version === undefined ? 'Every checkpoint' : `The checkpoint of version ${version}`;
  throw new MillraceError(
    'data_loss',
    `${which} of job "${id}" is damaged (${problems.join('; ')}); \`millrace job checkpoints ${id}\` shows which are whole.`,
    { field: 'from' },
  );
}

function damaged({ version }: CheckpointRecord, problem: string, goesOn: boolean) {
  const then = goesOn ? 'the one before it is used' : 'use another one';
  return {
    code: 'CHECKPOINT_DAMAGED' as const,
    subject: subjectOf(version),
    message: `the checkpoint of version ${version} cannot be used: ${problem}; ${then}`,
  };
}

function subjectOf(version: number): string {
  return `version ${version}`;
}
