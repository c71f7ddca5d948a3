import { DLQ, EVENTS, GROUPS, JOBS, POLICIES, ROLLOUTS, SCORED, WEIGHTS } from '../../src/protocol/names.ts';
import { weightsFilter } from '../../src/protocol/subjects.ts';
import { SHARED_DURABLES, jobDurable } from '../../src/protocol/durables.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { BucketName, StreamName } from '../../src/protocol/names.ts';
import { decodeLease } from '../../src/protocol/lease.ts';
import type { WeightChannel } from '../../src/weights/weight-channel.ts';
import { decodeManifest } from '../../src/weights/manifest.ts';
import { MillraceError } from '../../src/errors.ts';
import { decodeState } from '../../src/explore/state.ts';
import { decodeNotice } from '../../src/jobs/notice.ts';
import { decodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { decodeNode } from '../runtime/nodes.ts';

/** The fields of a `Finding` of admin.proto. */
export interface DurableFinding {
  place: string;
  what: string;
  problem: string;
  advice: string;
  removable: boolean;
}

/** The part of the admin API about durable state that is damaged. */
export interface Diagnosis {
  diagnose(): Promise<{ findings: DurableFinding[]; checked: number }>;
  removeDamaged(place: string): Promise<{ value: Uint8Array }>;
}

/** What the values of a bucket are, and how one is read; a reader throws what is wrong. */
const BUCKETS: Readonly<Record<BucketName, { what: string; read: (value: Uint8Array, key: string) => unknown }>> = {
  jobs: { what: 'job record', read: decodeJobRecord },
  policies: { what: 'weight manifest', read: decodeManifest },
  leases: { what: 'lease', read: decodeLease },
  nodes: { what: 'node record', read: decodeNode },
  notices: {
    what: 'notice',
    read: (value) => {
      if (!decodeNotice(value)) throw new MillraceError('data_loss', 'it is not a notice (truncated, or something else)');
    },
  },
};

/** Streams on which a durable that nobody reads does harm: it takes work away, or keeps messages for ever. */
const WORK: readonly StreamName[] = [ROLLOUTS, GROUPS, SCORED];

/** Looks at what lies in JetStream. Reading changes nothing. */
export function diagnosis(bus: Bus, weights: WeightChannel): Diagnosis {
  const diagnose = async (): Promise<{ findings: DurableFinding[]; checked: number }> => {
    const findings: DurableFinding[] = [];
    let checked = 0;
    const missing = new Set<string>();
    for (const { kind, name, created, problem } of await bus.inspectTopology()) {
      checked += 1;
      if (created === undefined) {
        missing.add(name);
        const advice = 'a coordinator makes it again within seconds; what was in it is lost';
        findings.push({ place: name, what: kind, problem: 'it is not there', advice, removable: false });
      } else if (problem !== undefined) {
        const advice = settingsAdvice(kind === 'bucket' ? `KV_${name}` : name);
        findings.push({ place: name, what: kind, problem, advice, removable: false });
      }
    }
    const jobs = new Map<string, JobRecord>();
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
    for (const job of jobs.values()) {
      if (isEnded(job.state)) continue;
      checked += 1;
      const problem = await weightProblem(weights, job.id);
      if (problem === undefined) continue;
      const advice = `the job goes on while its parameter server lives, which has them in memory; after that it fails with this reason`;
      findings.push({ place: `WEIGHTS/${job.id}`, what: 'weights', problem, advice, removable: false });
    }
    const durables = await durableFindings(bus, jobs, missing);
    return { findings: [...findings, ...durables.findings], checked: checked + durables.checked };
  };

  const removeDamaged = async (place: string): Promise<{ value: Uint8Array }> => {
    const { findings } = await diagnose();
    const found = findings.find((finding) => finding.place === place);
    const [first, ...rest] = place.split('/');
    const name = rest.join('/');
    if (!found?.removable) {
      const isThere =
        Object.hasOwn(BUCKETS, first!) && name !== '' && (await bus.kv(first as BucketName).get(name)) !== undefined;
      if (found ?? isThere)
        throw new MillraceError(
          'failed_precondition',
          `${place} is not removed: nothing is wrong with it that this would mend.`,
          {
            field: 'place',
          },
        );
      throw new MillraceError('not_found', `There is no ${place}. \`millrace doctor\` shows what is damaged.`, {
        field: 'place',
      });
    }
    if (!Object.hasOwn(BUCKETS, first!)) {
      await bus.deleteDurable(first as StreamName, name);
      return { value: new Uint8Array() };
    }
    const kv = bus.kv(first as BucketName);
    const entry = await kv.get(name);
    if (!entry) return { value: new Uint8Array() };
    await kv.delete(name, entry.revision);
    if (first === POLICIES && /^[\w-]+$/.test(name)) await bus.purge(WEIGHTS, weightsFilter({ job: name }));
    return { value: entry.value };
  };

  return { diagnose, removeDamaged };
}

function settingsAdvice(stream: string): string {
  const own = `with a NATS server of your own: nats stream rm ${stream}`;
  return `what can be changed is set when a node starts; otherwise stop the cluster, and \`millrace doctor\` names the folder to remove (${own})`;
}

function removal(place: string): string {
  return `millrace doctor --remove ${/^[\w./=-]+$/.test(place) ? place : `'${place}'`} --yes`;
}

/** Weights of no job: a new job of that name would go on from them. */
function orphan(place: string, job: string, jobsAreGone: boolean): DurableFinding {
  const problem = `there is no job ${job} that can be read: these are weights of no job`;
  const advice = jobsAreGone ? 'bucket jobs is missing: wait until it is there again' : removal(place);
  return { place, what: 'weight manifest', problem, advice, removable: !jobsAreGone };
}

/** What is wrong with the newest weights of a job, if anything is. A manifest that cannot be read is told elsewhere. */
async function weightProblem(weights: WeightChannel, job: string): Promise<string | undefined> {
  const latest = await weights.latest(job).catch(() => undefined);
  if (!latest) return undefined;
  try {
    for (const part of ['weights', 'optimizer', 'exploration'] as const) {
      if (latest.manifest[part] === undefined) continue;
      const blob = await weights.fetch(latest.manifest, part);
      if (part === 'exploration') decodeState(blob);
    }
    return undefined;
  } catch (thrown) {
    return MillraceError.from(thrown).message;
  }
}

async function durableFindings(
  bus: Bus,
  jobs: ReadonlyMap<string, JobRecord>,
  missing: ReadonlySet<string>,
): Promise<{ findings: DurableFinding[]; checked: number }> {
  const findings: DurableFinding[] = [];
  let checked = 0;
  for (const stream of [...WORK, EVENTS, DLQ] as const) {
    if (missing.has(stream)) continue;
    for (const { durable, filter } of await bus.durables(stream)) {
      checked += 1;
      const problem = durableProblem(stream, durable, filter, jobs);
      if (problem === undefined) continue;
      const place = `${stream}/${durable}`;
      findings.push({ place, what: 'durable', problem, advice: removal(place), removable: true });
    }
  }
  return { findings, checked };
}

function durableProblem(
  stream: StreamName,
  durable: string,
  filter: string,
  jobs: ReadonlyMap<string, JobRecord>,
): string | undefined {
  const shared = SHARED_DURABLES.find((known) => known.stream === stream && known.durable === durable);
  const own = stream === SCORED ? jobDurable(durable) : undefined;
  const { job } = own ?? {};
  const wanted = shared?.filter ?? own?.filter;
  if (wanted === undefined) {
    if (!WORK.includes(stream)) return undefined;
    return stream === SCORED
      ? 'it is none of ours: messages are kept until it has acknowledged them'
      : 'it is none of ours: it takes messages away from the workers';
  }
  if (filter !== wanted) return `its filter is ${filter}, not ${wanted}: its consumer waits until it is deleted`;
  const record = job === undefined ? undefined : jobs.get(job);
  if (job !== undefined && (!record || (isEnded(record.state) && record.unsettled.length === 0)))
    return `job ${job} ${record ? 'has ended' : 'is not there'}, and messages are kept for it`;
  return undefined;
}
