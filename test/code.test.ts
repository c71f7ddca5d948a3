import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactsOf } from '../cluster/jobs/artifacts.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { millrace, millraceToEnd } from './support/command.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { temporaryFolder } from './support/thermostat.ts';

let cluster: TestCluster;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
  cluster = await startTestCluster({ learners: 1, rollouts: 1 });
});
afterAll(async () => {
  await cluster?.end();
  await folder?.remove();
});

/** A flow whose tool, reward and reward module say which edition of the code they are. */
function writeFlow(edition: number): void {
  const write = (name: string, text: string): void => writeFileSync(join(folder.path, name), text);
  for (const name of ['data', 'prompts', 'node_modules/dep']) mkdirSync(join(folder.path, name), { recursive: true });
  write('edition.ts', `export const edition: number = ${edition};`);
  write('mine.ts', `import { edition } from './edition.ts'; export default () => edition / 100;`);
  write(
    'flow.ts',
    `import { defineFlow, defineTool, z } from 'millrace';
     import { readFileSync } from 'node:fs';
     import { join } from 'node:path';
     import dep from 'dep';
     import { edition } from './edition';
     const tool = defineTool<string[]>();
     const wait = () => new Promise((done) => setTimeout(done, 20));
     const make = (side: string) => tool({ description: 'Pulls.', input: z.object({}), arguments: () => ({}),
       run: async (_, pulls) => { await wait(); pulls.push(side); return \`edition \${edition}\`; } });
     export default defineFlow<{ id: string }, string[]>({
       name: 'edited', task: z.object({ id: z.string() }),
       files: ['./prompts'],
       load: ({ data }) => {
         const read = (path: string): string => readFileSync(path, 'utf8').trim();
         const words = [read(join(data!, 'world.json')), read(join(import.meta.dirname, 'prompts', 'system.txt')), dep];
         if (words.join() !== '{},be brief,a package') throw new Error(words.join());
         return { tasks: Array.from({ length: 20 }, (_, i) => ({ id: \`t\${i}\` })) };
       },
       tools: { left: make('left'), right: make('right') }, features: {}, remember: () => [],
       plan: (pulls) => ({ items: [], actions: pulls.length > 1 ? [] : [{ tool: 'left' }, { tool: 'right' }] }),
       verify: () => 'continue', answer: (pulls) => ({ pulls, edition }),
       reward: (_, answer) => ({ outcome: (answer as any).pulls[0] === 'left' ? 1 : 0, components: { edition } }),
       components: ['edition'],
     });`,
  );
  write('data/world.json', '{}');
  write('prompts/system.txt', 'be brief');
  write('node_modules/dep/package.json', '{"name":"dep","main":"index.js"}');
  write('node_modules/dep/index.js', "module.exports = 'a package';");
  write(
    'job.yaml',
    `name: edited
flow: ./flow.ts
data: ./data
policy: { hidden: 8, embed: 4, buckets: 16 }
rollout: { groupSize: 4, groupsPerRound: 4 }
reward: { components: [{ name: outcome, weight: 1 }, { name: mine, weight: 1, module: ./mine.ts }] }
rounds: 8
evaluation: { every: 0, baselines: false }
`,
  );
}

const create = (): Promise<Job> => cluster.createJob(loadJobConfig(join(folder.path, 'job.yaml')).config);
const round = (job: Job): number => job.progress?.round ?? 0;

/** Which editions ran a job's tools, its flow's answers and its reward module. */
async function editions(job: string): Promise<unknown[][]> {
  return cluster.rows(`SELECT (SELECT arraySort(groupUniqArray(result)) FROM steps WHERE job = '${job}' AND purpose = 'train'),
    (SELECT arraySort(groupUniqArray(JSONExtractInt(answer, 'edition'))) FROM trajectories WHERE job = '${job}' AND purpose = 'train'),
    (SELECT arraySort(groupUniqArray(round(reward - outcome, 4))) FROM trajectories WHERE job = '${job}' AND purpose = 'train')`);
}

describe('a job whose flow is edited while it runs', () => {
  it('runs the code it was created with; the next job runs the new code', async () => {
    writeFlow(1);
    const first = await create();
    expect(first.codeDigest).toMatch(/^[0-9a-f]{64}$/);
    await cluster.until(first.id, (job) => round(job) >= 1);
    writeFlow(2);
    for (const node of ['rollout-1', 'reward-1']) cluster.kill(node);
    const second = await create();
    expect(second.codeDigest).not.toBe(first.codeDigest);
    expect((await cluster.ended(first.id)).state).toBe(JobState.SUCCEEDED);
    expect((await cluster.ended(second.id)).state).toBe(JobState.SUCCEEDED);
    await expect.poll(() => editions(second.id), { timeout: 15_000 }).toEqual([[['edition 2'], ['2'], [0.02]]]);
    expect(await editions(first.id)).toEqual([[['edition 1'], ['1'], [0.01]]]);
    expect((await cluster.admin.getJob({ jobId: first.id })).job?.codeDigest).toBe(first.codeDigest);
  });

  it('waits while its bundle is damaged, says so, and goes on when that is put back', async () => {
    const { id, codeDigest } = await create();
    await cluster.until(id, (job) => round(job) >= 1);
    // Data that is edited is that of the next job.
    writeFileSync(join(folder.path, 'data/world.json'), '{"edited":true}');
    const artifact = artifactsOf(cluster.stateDir).pathOf(codeDigest);
    const whole = readFileSync(artifact);
    writeFileSync(artifact, whole.subarray(1));
    cluster.kill('rollout-1');
    const waiting = await cluster.until(id, ({ notices }) => notices.some(({ code }) => code === 'BUNDLE_DAMAGED'));
    const notice = waiting.notices.find(({ code }) => code === 'BUNDLE_DAMAGED')!;
    expect(notice.message).toMatch(/the bundle of the flow cannot be loaded: artifact .* is damaged.*; put back/);
    expect(notice.node).toBe('rollout-1');
    expect(notice.resolveTime).toBeUndefined();
    writeFileSync(artifact, whole);
    const ended = await cluster.ended(id);
    expect(ended.state).toBe(JobState.SUCCEEDED);
    expect(books(ended)).toMatchObject({ failed: 0 });
    expect(ended.notices.find(({ code }) => code === 'BUNDLE_DAMAGED')!.resolveTime).toBeDefined();
    expect((await cluster.admin.listDeadLetters({})).deadLetters).toEqual([]);
  });
});

describe('a job whose folder is moved away', () => {
  it('trains to its end in processes that never saw it, and can be evaluated', async () => {
    writeFlow(3);
    const job = await create();
    await cluster.until(job.id, (running) => round(running) >= 1);
    renameSync(folder.path, `${folder.path}-away`);
    try {
      for (const node of ['rollout-1', 'reward-1']) cluster.kill(node);
      const ended = await cluster.ended(job.id);
      expect([ended.state, ended.error]).toEqual([JobState.SUCCEEDED, '']);
      expect(books(ended)).toMatchObject({ failed: 0 });
      await expect.poll(() => editions(job.id), { timeout: 15_000 }).toEqual([[['edition 3'], ['3'], [0.03]]]);

      const { code, stdout, stderr } = await millraceToEnd(['eval', '--checkpoint', ended.checkpoint]);
      expect([code, stderr]).toEqual([0, '']);
      const lines = stdout.trim().split('\n');
      const { summary } = JSON.parse(lines.at(-1)!) as { summary: object };
      expect(summary).toMatchObject({ tasks: lines.length - 1, failed: 0, code: job.codeDigest, checkpoint: ended.checkpoint });
    } finally {
      renameSync(`${folder.path}-away`, folder.path);
    }
  });

  it('goes on by train --resume', async () => {
    writeFlow(4);
    const state = await temporaryFolder();
    const small = ['--state', state.path, '--learners', '1', '--rollouts', '1'];
    const first = millrace(['train', join(folder.path, 'job.yaml'), ...small, '--set', 'rounds=40']);
    await first.until(/^round/m, 150_000);
    first.interrupt();
    expect(await first.ended).toBe(130);
    renameSync(folder.path, `${folder.path}-away`);
    try {
      const report = join(state.path, 'report.json');
      const args = ['train', '--resume', ...small, '--report', report];
      const { code, stderr } = await millraceToEnd(args, { timeoutMs: 200_000 });
      expect([code, stderr]).toEqual([0, expect.stringMatching(/going on with/)]);
      expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ state: 'succeeded' });
    } finally {
      renameSync(`${folder.path}-away`, folder.path);
      await state.remove();
    }
  }, 400_000);
});
