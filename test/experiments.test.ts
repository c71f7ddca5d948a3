import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adaptersClient, experimentsClient } from '../src/client/adapters.ts';
import { agentsClient } from '../src/client/agents.ts';
import { AdapterStatus, ExperimentArm, ExperimentState } from '../src/gen/millrace/v1/adapters_pb.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { namedQuery, queryParameters, queryText } from '../src/store/queries.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

let cluster: TestCluster;
beforeAll(async () => void (cluster = await startTestCluster({ learners: 1, rollouts: 1 })));
afterAll(() => cluster?.end());

/** What the file of the registry says, once it says that this policy is live. */
async function registryWith(live: string): Promise<{ agents: unknown; adapters: { version: string; status: string }[] }> {
  const path = join(cluster.stateDir, 'adapters', 'adapter_registry.json');
  await expect
    .poll(async () => JSON.parse(await readFile(path, 'utf8').catch(() => '{}')) as object, { timeout: 10_000 })
    .toMatchObject({ agents: { heating: { live } } });
  return JSON.parse(await readFile(path, 'utf8')) as Awaited<ReturnType<typeof registryWith>>;
}

describe('an experiment on live tasks', () => {
  it('serves both policies, counts late rewards, and promotes the better one, which ClickHouse alone can tell again', async () => {
    const agents = agentsClient(cluster.admin);
    const adapters = adaptersClient(cluster.admin);
    const experiments = experimentsClient(cluster.admin);
    const overrides = ['rounds=2', 'rollout.groupsPerRound=2', 'rollout.groupSize=2', 'checkpoint.every=1', 'checkpoint.keep=5'];
    const config = thermostatJob([...overrides, 'evaluation.every=0', 'evaluation.baselines=false']);
    const [job] = await Promise.all([
      cluster.createJob(config).then(({ id }) => cluster.ended(id)),
      agents.register('heating', { flow: config.flow }),
    ]);
    expect([JobState[job.state], job.error]).toEqual(['SUCCEEDED', '']);
    const [champion, candidate] = [`${job.id}@1`, `${job.id}@2`];

    await expect(adapters.serve('heating', {})).rejects.toMatchObject({ code: 'failed_precondition', field: 'agent' });
    await expect(adapters.publish('heating', `${job.id}@77`)).rejects.toMatchObject({ code: 'not_found', field: 'version' });
    expect(await adapters.publish('heating', champion, { owner: 'ann' })).toMatchObject({
      status: AdapterStatus.LIVE,
      owner: 'ann',
    });
    expect(await adapters.publish('heating', candidate)).toMatchObject({ status: AdapterStatus.CANDIDATE });
    const id = (await experiments.create({ id: 'warmer', agent: 'heating', candidate, minPairs: 5, alpha: 0.05 })).id;

    const task = { id: 'live-1', target: 20, rooms: [{ degrees: 24, windowOpen: false }] };
    await expect(adapters.serve('heating', { id: 'x' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'task_json' });
    const served: Awaited<ReturnType<typeof adapters.serve>>[] = [];
    for (let user = 0; user < 40; user += 1) served.push(await adapters.serve('heating', task, { stickyKey: `user-${user}` }));
    const again = await adapters.serve('heating', task, { stickyKey: 'user-0' });
    expect([again.version, again.arm]).toEqual([served[0]!.version, served[0]!.arm]);
    for (const { version, arm, experiment, answerJson, ended } of served) {
      expect([version, experiment]).toEqual([arm === ExperimentArm.CANDIDATE ? candidate : champion, id]);
      expect([answerJson.length > 0, ['done', 'step_limit', 'no_action'].includes(ended)]).toEqual([true, true]);
    }
    expect(new Set(served.map(({ arm }) => arm)).size).toBe(2);

    // The candidate's users are content, the champion's are not.
    const first = served[0]!;
    const good = ({ arm }: typeof first): boolean => arm === ExperimentArm.CANDIDATE;
    expect(await adapters.recordReward(first.trajectoryId, good(first))).toMatchObject({ counted: true });
    expect(await adapters.recordReward(first.trajectoryId, good(first))).toMatchObject({ counted: true });
    await expect(adapters.recordReward(first.trajectoryId, 0.5)).rejects.toMatchObject({ code: 'already_exists' });
    expect(await adapters.recordReward(again.trajectoryId, true)).toMatchObject({ counted: false, experiment: id });
    for (const one of served.slice(1)) await adapters.recordReward(one.trajectoryId, good(one));

    const over = await experiments.get(id);
    expect(over).toMatchObject({ state: ExperimentState.PROMOTED, losses: 0, decision: { kind: 'promote', by: 'rule' } });
    expect(over.decision!.evidence).toBeGreaterThanOrEqual(20);
    expect(await adapters.get('heating')).toMatchObject({ version: candidate, status: AdapterStatus.LIVE });
    expect(await adapters.serve('heating', task)).toMatchObject({ version: candidate, experiment: '' });
    const { adapters: listed } = await registryWith(candidate);
    expect(listed.map(({ version, status }) => [version, status])).toEqual([
      [champion, 'retired'],
      [candidate, 'live'],
    ]);

    const query = namedQuery('experiments');
    const sql = queryText(query, queryParameters(query, job.id));
    const { wins, losses, evidence } = over.decision!;
    await expect
      .poll(() => cluster.rows(`SELECT wins, losses, evidence, decision, decided_evidence FROM (${sql})`))
      .toEqual([[wins, losses, expect.closeTo(evidence, 9), 'promote', evidence]]);
    const rows = (): Promise<unknown[][]> =>
      cluster.rows(
        `SELECT adapter, experiment, arm, count(), sum(steps) > 0 FROM trajectories WHERE job = '${job.id}' AND purpose = 'serve' AND valid AND experiment != '' GROUP BY ALL ORDER BY adapter`,
      );
    const all = [...served, again];
    const count = (of: ExperimentArm): number => all.filter(({ arm }) => arm === of).length;
    await expect.poll(rows, { timeout: 10_000 }).toEqual([
      [champion, id, 'champion', count(ExperimentArm.CHAMPION), 1],
      [candidate, id, 'candidate', count(ExperimentArm.CANDIDATE), 1],
    ]);
    expect(await adapters.rollBack('heating', candidate)).toMatchObject({ version: champion });
    expect(await adapters.rollBack('heating', candidate)).toMatchObject({ version: champion });
  });
});
