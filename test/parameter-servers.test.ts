import { expect, it } from 'vitest';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { checkLedger } from '../src/jobs/ledger.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { leaseOwner } from '../src/protocol/lease.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { books, startTestCluster } from './support/cluster.ts';
import { unequalThermostatJob } from './support/thermostat.ts';

const JOBS = 4;
const ROUNDS = 6;
const GROUPS = 4;

it('two parameter servers share the jobs, and one goes on with those of the other when that is killed', async () => {
  const cluster = await startTestCluster({ parameterServers: 2, rollouts: 2, learners: 2 });
  const bus = await connectBus({ servers: cluster.natsUrl, name: 'test', ...loginOf(cluster.natsAdmin!) });
  /** Who has the trainer of each job. */
  const trainers = (ids: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(ids.map(async (id) => (await leaseOwner(bus, `trainer.${id}`))?.owner));
  try {
    const config = unequalThermostatJob([
      `rounds=${ROUNDS}`,
      `rollout.groupsPerRound=${GROUPS}`,
      'rollout.groupSize=4',
      `evaluation.every=${ROUNDS}`,
      'evaluation.baselines=false',
    ]);
    const jobs = await Promise.all(Array.from({ length: JOBS }, (_, seed) => cluster.createJob({ ...config, seed })));
    const ids = jobs.map(({ id }) => id).sort();
    const [first, second] = ['parameter-server-1', 'parameter-server-2'];
    // Half each on an idle machine; one that is slow to answer gets fewer (placement.test.ts).
    const owners = async (): Promise<(string | undefined)[]> => [...new Set(await trainers(ids))].sort();
    await expect.poll(owners, { timeout: 20_000 }).toEqual([first, second]);
    const orphan = ids[(await trainers(ids)).indexOf(first)]!;
    await cluster.until(orphan, ({ progress }) => (progress?.round ?? 0) >= 1);
    cluster.kill(first);

    for (const id of ids) {
      const job = await cluster.ended(id);
      expect({ id, state: JobState[job.state], error: job.error, round: job.progress?.round }).toEqual({
        id,
        state: 'SUCCEEDED',
        error: '',
        round: ROUNDS,
      });
      checkLedger(job.progress!.ledger!, job.progress!.requests);
      const { requests, trained, filtered, failed, ended } = books(job);
      expect({ ended, used: trained + filtered, failed }).toEqual({ ended: requests, used: ROUNDS * GROUPS, failed: 0 });
    }
    const rounds = `SELECT job, count(), sum(trained + filtered) FROM updates GROUP BY job ORDER BY job`;
    await expect.poll(() => cluster.rows(rounds), { timeout: 30_000 }).toEqual(ids.map((id) => [id, ROUNDS, ROUNDS * GROUPS]));
  } finally {
    await bus.close();
    await cluster.end();
  }
});
