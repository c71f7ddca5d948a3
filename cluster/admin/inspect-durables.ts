import type { Bus } from '../../src/bus/bus.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { jobDurable, SHARED_DURABLES, type DurablePlace } from '../../src/protocol/durables.ts';
import { DLQ, EVENTS, GROUPS, ROLLOUTS, SCORED, type StreamName } from '../../src/protocol/names.ts';
import { removal, type DurableFinding, type Findings } from './finding.ts';

/** Streams on which a durable that nobody reads does harm: it takes work away, or keeps messages for ever. */
const WORK: readonly StreamName[] = [ROLLOUTS, GROUPS, SCORED];

/** Looks for durables that are not ours, are not as they should be, or belong to no job. */
export async function inspectDurables(
  bus: Bus,
  jobs: ReadonlyMap<string, JobRecord>,
  missing: ReadonlySet<string>,
): Promise<Findings> {
  const findings: DurableFinding[] = [];
  let checked = 0;
  for (const stream of [...WORK, EVENTS, DLQ] as const) {
    if (missing.has(stream)) continue;
    for (const { durable, filter } of await bus.durables(stream)) {
      checked += 1;
      const problem = durableProblem({ stream, durable, filter }, jobs);
      if (problem === undefined) continue;
      const place = `${stream}/${durable}`;
      findings.push({ place, what: 'durable', problem, advice: removal(place), removable: true });
    }
  }
  return { findings, checked };
}

function durableProblem({ stream, durable, filter }: DurablePlace, jobs: ReadonlyMap<string, JobRecord>): string | undefined {
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
