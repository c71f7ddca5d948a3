import { decodeCredential } from '../../src/access/credential.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeNotice } from '../../src/jobs/notice.ts';
import { readBudgetEntry } from '../../src/jobs/budgets/kv-ledger.ts';
import { decodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { decodeExperiment } from '../../src/jobs/experiments/experiment.ts';
import { decodeServedTask } from '../../src/jobs/experiments/served-task.ts';
import { decodePlaces } from '../../src/jobs/scheduler/places.ts';
import { decodeSchedule } from '../../src/jobs/schedules/schedule.ts';
import { decodeSession } from '../../src/jobs/sessions/session.ts';
import { decodeLease } from '../../src/protocol/lease.ts';
import { decodeRate } from '../../src/model/rate/rate-store.ts';
import { JOBS, POLICIES, type BucketName } from '../../src/protocol/names.ts';
import { decodeManifest } from '../../src/weights/manifest.ts';
import { decodeAgent } from '../jobs/agents.ts';
import { decodeJoinRecord } from '../join/join-tokens.ts';
import { decodeNode } from '../runtime/nodes.ts';
import { removal, type DurableFinding, type Findings } from './finding.ts';

/** What the values of a bucket are, and how one is read; a reader throws what is wrong. */
const BUCKETS: Readonly<Record<BucketName, { what: string; read: (value: Uint8Array, key: string) => unknown }>> = {
  jobs: { what: 'job record', read: decodeJobRecord },
  policies: { what: 'weight manifest', read: decodeManifest },
  leases: { what: 'lease', read: decodeLease },
  nodes: { what: 'node record', read: decodeNode },
  scheduler: { what: 'decision of the scheduler', read: decodePlaces },
  schedules: { what: 'schedule', read: decodeSchedule },
  budgets: { what: 'budget entry', read: readBudgetEntry },
  rates: { what: 'state of a rate', read: decodeRate },
  credentials: { what: 'credential', read: decodeCredential },
  joins: { what: 'token for joining', read: decodeJoinRecord },
  agents: { what: 'registered agent', read: (value, key) => decodeAgent(key, value) },
  experiments: { what: 'experiment', read: decodeExperiment },
  served: { what: 'live task', read: decodeServedTask },
  sessions: { what: 'session of the gateway', read: decodeSession },
  notices: {
    what: 'notice',
    read: (value) => {
      if (!decodeNotice(value)) throw new MillraceError('data_loss', 'it is not a notice (truncated, or something else)');
    },
  },
};

/** Whether a bucket has this name. */
export function isBucket(name: string): name is BucketName {
  return Object.hasOwn(BUCKETS, name);
}

/** Reads every value of every bucket that is there. `jobs`: the jobs whose records can be read. */
export async function inspectValues(
  bus: Bus,
  missing: ReadonlySet<string>,
): Promise<Findings & { jobs: ReadonlyMap<string, JobRecord> }> {
  const findings: DurableFinding[] = [];
  const jobs = new Map<string, JobRecord>();
  let checked = 0;
  for (const bucket of Object.keys(BUCKETS) as BucketName[]) {
    if (missing.has(bucket)) continue;
    const kv = bus.kv(bucket);
    for (const key of await kv.keys()) {
      const entry = await kv.get(key);
      if (!entry) continue;
      checked += 1;
      const { what, read } = BUCKETS[bucket];
      const place = `${bucket}/${key}`;
      try {
        const value = read(entry.value, key);
        if (bucket === JOBS) jobs.set(key, value as JobRecord);
        if (bucket === POLICIES && !jobs.has(key)) findings.push(orphan(place, key, missing.has(JOBS)));
      } catch (thrown) {
        findings.push({ place, what, problem: MillraceError.from(thrown).message, advice: removal(place), removable: true });
      }
    }
  }
  return { findings, checked, jobs };
}

/** Weights of no job: a new job of that name would go on from them. */
function orphan(place: string, job: string, jobsAreGone: boolean): DurableFinding {
  const problem = `there is no job ${job} that can be read: these are weights of no job`;
  const advice = jobsAreGone ? 'bucket jobs is missing: wait until it is there again' : removal(place);
  return { place, what: 'weight manifest', problem, advice, removable: !jobsAreGone };
}
