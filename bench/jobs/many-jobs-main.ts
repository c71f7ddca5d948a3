import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestCluster, type TestCluster } from '../../test/support/cluster.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';

// Many jobs of the first flow at once on a cluster of this machine: tsx bench/jobs/many-jobs-main.ts [jobs] [rounds]. Prints JSON.

const [jobs = 100, rounds = 10] = process.argv.slice(2).map(Number);
const config = thermostatJob([`rounds=${rounds}`, 'evaluation.every=0', 'evaluation.baselines=false']);
const POLL_MS = 2_000;
const trajectoriesOf = ({ progress }: Job): number => Number(progress?.ledger?.trajectories ?? 0n);
const isOver = ({ state }: Job): boolean => state >= JobState.SUCCEEDED;

/** Creates jobs as fast as the API takes them and follows them to their end. */
async function run(cluster: TestCluster, count: number, prefix: string) {
  const configJson = JSON.stringify(config);
  const begun = performance.now();
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);
  let next = 0;
  const create = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++])
      await cluster.admin.createJob({ jobId: id, configJson }, { timeoutMs: 60_000 });
  };
  await Promise.all(Array.from({ length: Math.min(8, count) }, create));
  const createdPerSecond = (1000 * count) / (performance.now() - begun);
  const samples: { at: number; done: Map<string, number> }[] = [];
  let all: Job[] = [];
  while (all.length < count || !all.every(isOver)) {
    await sleep(POLL_MS);
    const { jobs: listed } = await cluster.admin.listJobs({ pageSize: 1000 }, { timeoutMs: 60_000 });
    all = listed.filter(({ id }) => id.startsWith(`${prefix}-`));
    samples.push({ at: performance.now() - begun, done: new Map(all.map((job) => [job.id, trajectoriesOf(job)])) });
    process.stderr.write(`${Math.round(samples.at(-1)!.at / 1000)} s: ${all.filter(isOver).length} of ${count} ended\n`);
  }
  const seconds = (performance.now() - begun) / 1000;
  const trajectories = all.reduce((sum, job) => sum + trajectoriesOf(job), 0);
  return {
    jobs: count,
    succeeded: all.filter(({ state }) => state === JobState.SUCCEEDED).length,
    failed: [...new Set(all.map(({ error }) => error).filter(Boolean))],
    seconds,
    createdPerSecond,
    trajectoriesPerSecond: trajectories / seconds,
    leastShareInAMinute: leastShare(samples, all.length),
  };
}

/** The smallest part of its fair share that a job got in a minute in which all of them ran; undefined when there was none. */
function leastShare(samples: { at: number; done: Map<string, number> }[], count: number): number | undefined {
  const total = rounds * config.rollout.groupsPerRound * config.rollout.groupSize;
  let least: number | undefined;
  for (const [i, from] of samples.entries()) {
    const to = samples.slice(i).find(({ at }) => at - from.at >= 60_000);
    if (to === undefined || [...to.done.values()].some((done) => done >= total) || from.done.size < count) continue;
    const got = [...to.done].map(([id, done]) => done - from.done.get(id)!);
    const fair = got.reduce((sum, one) => sum + one, 0) / count;
    least = Math.min(least ?? Infinity, Math.min(...got) / fair);
  }
  return least;
}

async function memory(cluster: TestCluster): Promise<Record<string, number>> {
  const { nodes } = await cluster.admin.listNodes({});
  return Object.fromEntries(nodes.map(({ id, rssBytes }) => [id, Math.round(Number(rssBytes) / 2 ** 20)]));
}

const cluster = await startTestCluster({ learners: 2, rollouts: 2 });
try {
  const alone = await run(cluster, 1, 'alone');
  const before = await memory(cluster);
  const many = await run(cluster, jobs, 'many');
  await sleep(5_000);
  const after = await memory(cluster);
  const ratio = many.trajectoriesPerSecond / alone.trajectoriesPerSecond;
  process.stdout.write(`${JSON.stringify({ alone, many, throughputOfAlone: ratio, memoryMiB: { before, after } }, null, 2)}\n`);
} finally {
  await cluster.end();
}
