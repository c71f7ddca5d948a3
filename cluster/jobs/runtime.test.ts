import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { runScript, writeFiles } from '../../src/flow/bundle/testing.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(() => folder.remove());

/** A flow with a policy kind of its own, named `own`, whose first weight is `weight`. */
const flow = (weight: number): string => `
  import { defineFlow, defineTool, z } from 'millrace';
  import { weight } from './weight.ts';
  const nothing = () => undefined;
  const tensors = [{ name: 'w', shape: [1], offset: 0, size: 1 }];
  export const policyKinds = [{
    name: 'own', settings: z.strictObject({}), specification: () => ({ kind: 'own', weight: ${weight} }),
    difference: nothing, misfit: nothing, layout: () => tensors,
    initial: () => ({ tensors, values: Float32Array.of(weight) }),
    actor: () => ({ policy: () => \`actor \${weight}\` }), learner: () => \`learner \${weight}\`,
  }];
  const tool = defineTool()({ description: 'x', input: z.object({}), arguments: () => ({}), run: nothing });
  export default defineFlow({
    name: 'x', task: z.object({ id: z.string() }), load: () => ({ tasks: [{ id: 'a' }] }), tools: { tool }, features: {},
    remember: () => ({}), plan: () => ({ items: [], actions: [] }), verify: () => 'stop', answer: nothing, reward: () => 0,
  });`;

it('keeps policy kinds of one name apart by job, and shares tasks between jobs of one bundle', () => {
  for (const weight of [1, 2])
    writeFiles(folder.path, {
      [`${weight}/flow.ts`]: flow(weight),
      [`${weight}/weight.ts`]: `export const weight: number = ${weight};`,
      [`${weight}/job.yaml`]: 'name: x\nflow: ./flow.ts\npolicy:\n  kind: own\n',
    });
  const script = `
    import { artifactsOf } from 'ROOT/cluster/jobs/artifacts.ts';
    import { jobBundles } from 'ROOT/cluster/jobs/bundles.ts';
    import { bundleJob, createJobRuntimes } from 'ROOT/cluster/jobs/runtime.ts';
    import { systemRandom } from 'ROOT/src/random/seeded.ts';
    import { REAL_PORTS } from 'ROOT/cluster/jobs/real-ports.ts';
    import { loadJobConfig } from 'ROOT/src/config/load.ts';
    const bundles = jobBundles(${JSON.stringify(folder.path)}, artifactsOf(${JSON.stringify(folder.path)}), systemRandom());
    const runtimes = createJobRuntimes(REAL_PORTS, bundles);
    const records = await Promise.all([1, 2].map(async (n) => {
      const { config } = loadJobConfig(${JSON.stringify(folder.path)} + '/' + n + '/job.yaml');
      const { digest } = await bundleJob(config, REAL_PORTS, bundles);
      return { id: 'job-' + n, config, code: digest };
    }));
    const loaded = await Promise.all(records.map((record) => runtimes.get(record)));
    const [first] = records;
    const others = [{ rounds: 3 }, { seed: 7 }].map((change, i) => ({
      ...first, id: 'other-' + i, config: { ...first.config, ...change },
    }));
    const tasks = await Promise.all([...loaded.slice(0, 1), ...await Promise.all(others.map((job) => runtimes.get(job)))].map((one) => one.tasks()));
    for (const { id } of [...records, ...others]) runtimes.forget(id);
    const again = await (await runtimes.get(first)).tasks();
    console.log(JSON.stringify({
      shared: [...tasks, again].map((one) => one === tasks[0]),
      digests: new Set(records.map(({ code }) => code)).size,
      kinds: loaded.map(({ kind, kinds, spec }) => [
        kind.name, kinds.names.join(), kind.initial(spec).values[0], kind.actor(spec).policy(), kinds.of(spec).learner(spec),
      ]),
    }));`;
  expect(runScript(folder.path, script)).toEqual({
    // By jobs of one bundle and seed, for as long as one of them is there.
    shared: [true, true, false, false],
    digests: 2,
    kinds: [
      ['own', 'planner,llama,own', 1, 'actor 1', 'learner 1'],
      ['own', 'planner,llama,own', 2, 'actor 2', 'learner 2'],
    ],
  });
});
