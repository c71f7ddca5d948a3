import { MillraceError } from '../../src/errors.ts';
import { decodeState } from '../../src/explore/state.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { BLOB_PARTS, type WeightChannel } from '../../src/weights/weight-channel.ts';
import type { DurableFinding, Findings } from './finding.ts';

/** Reads the newest weights of every job that has not ended. */
export async function inspectWeights(weights: WeightChannel, jobs: ReadonlyMap<string, JobRecord>): Promise<Findings> {
  const findings: DurableFinding[] = [];
  const open = [...jobs.values()].filter(({ state }) => !isEnded(state));
  for (const { id } of open) {
    const problem = await weightProblem(weights, id);
    if (problem === undefined) continue;
    const advice = `the job goes on while its parameter server lives, which has them in memory; after that it fails with this reason`;
    findings.push({ place: `WEIGHTS/${id}`, what: 'weights', problem, advice, removable: false });
  }
  return { findings, checked: open.length };
}

/** What is wrong with the newest weights of a job, if anything is. A manifest that cannot be read is told elsewhere. */
async function weightProblem(weights: WeightChannel, job: string): Promise<string | undefined> {
  const latest = await weights.latest(job).catch(() => undefined);
  if (!latest) return undefined;
  try {
    for (const part of BLOB_PARTS) {
      if (latest.manifest[part] === undefined) continue;
      const blob = await weights.fetch(latest.manifest, part);
      if (part === 'exploration') decodeState(blob);
    }
    return undefined;
  } catch (thrown) {
    return MillraceError.from(thrown).message;
  }
}
