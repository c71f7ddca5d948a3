/** Groups of a policy that writes its calls: what travels of them, and what the store then holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { explorationSchema } from '../config/job/exploration.ts';
import { NO_TOOL } from '../explore/observe.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { Agent, Purpose, RolloutRequestSchema, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import { seededRandom } from '../random/seeded.ts';
import { decodeExperience } from '../policy/experience.ts';
import type { Generation } from '../policy/decision.ts';
import { scriptedInference } from '../policy/inference/scripted.ts';
import { openEmbeddedStore } from '../store/embedded.ts';
import type { Store } from '../store/store.ts';
import { charActor, CharPolicy, CharSituations, writes } from './fixtures/char-policy.ts';
import { parcelFlow, type ParcelBehaviour } from './fixtures/parcels.ts';
import { runGroup, type GroupOptions } from './group.ts';
import { fixedPolicy } from './policies.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-generated-'));
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ path: folder });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A group of one member that writes these texts. */
async function group(
  job: string,
  script: readonly Generation[],
  options: Partial<GroupOptions<never, never>> & { behaviour?: ParcelBehaviour; encode?: CharSituations['encode'] } = {},
): Promise<TrajectoryGroup> {
  const { behaviour, encode, ...rest } = options;
  const flow = parcelFlow(behaviour);
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    ...{ id: `${job}:0:t1:0`, job, purpose: Purpose.TRAIN, agent: Agent.POLICY, taskId: 't1', groupSize: 1, seed: 3 },
    ...{ taskJson: JSON.stringify({ id: 't1', parcels: ['a', 'b'] }), policyVersion: 2, temperature: 0.5 },
  });
  const inference = scriptedInference({ generations: script });
  const situations = (): CharSituations => Object.assign(new CharSituations(), encode && { encode });
  const actor = { ...charActor, situations };
  const policy = { source: fixedPolicy(new CharPolicy(), 2), actor, inference };
  const common = { request, flow, context: undefined, node: 'worker-1', clock, policy };
  return clock.run(runGroup({ ...common, ...(rest as object) }));
}

const script = [writes('stamp {"parcel": 1}'), writes('hm'), writes('leave {"a', 'length'), writes('leave {}')];

it('keeps every token that the policy read and wrote', async () => {
  const made = await group('kept', script);
  expect(made.trajectories).toMatchObject([{ steps: 4, toolErrors: 2, failure: FailureClass.UNSPECIFIED }]);

  const { kind, payload, ...columns } = decodeExperience(made.experience);
  const decisions = JSON.parse(new TextDecoder().decode(payload)) as { prompt: number[]; tokens: number[] }[];
  expect(kind).toBe('chars');
  expect(decisions.map(({ tokens }) => tokens)).toEqual(script.map(({ tokens }) => tokens));
  expect(columns).toMatchObject({
    temperature: 0.5,
    trajectoryLengths: [4],
    decisionLengths: script.map(({ tokens }) => tokens.length),
    logProbabilities: script.flatMap(({ tokens }) => tokens.map(() => Math.fround(-Math.LN2))),
  });

  await store.insert('steps', made.stepRows, 'kept');
  const { rows } = await store.query(
    `SELECT decision, tool, mistake, text, arguments, error, tokens_in, tokens_out, prompt, tokens, round(log_probability, 3)
     FROM steps WHERE job = 'kept' ORDER BY step`,
  );
  expect(rows.map((row) => row.slice(0, 6))).toEqual([
    ['generated', 'stamp', '', 'stamp {"parcel": 1}', '{"parcel":1}', false],
    ['generated', '', 'no_call', 'hm', '', true],
    ['generated', '', 'cut_off', 'leave {"a', '', true],
    ['generated', 'leave', '', 'leave {}', '{}', false],
  ]);
  const saw: number[] = [];
  for (const [i, row] of rows.entries()) {
    const [tokensIn, tokensOut, prompt, tokens, log] = row.slice(6) as [number, number, number[], number[], number];
    saw.push(...prompt);
    expect(saw).toEqual(decisions[i]!.prompt);
    expect([tokensIn, tokensOut]).toEqual([saw.length, tokens.length]);
    expect(log).toBeCloseTo(-tokens.length * Math.LN2, 2);
    saw.push(...tokens);
    expect(tokens).toEqual(decisions[i]!.tokens);
  }
});

it.each<[string, CharSituations['encode'], RegExp]>([
  ['throws', () => expect.fail('no room'), /: encode: .*no room/],
  ['gives no envelope', () => Uint8Array.of(7, 7, 7), /: encode: not an Experience/],
  [
    'leaves decisions out',
    (_, temperature) => new CharSituations().encode([[]], temperature),
    /trajectories of 0 decisions for 4/,
  ],
])('fails a group whose kind %s when it encodes', async (_, encode, message) => {
  const made = await group('unusable', script, { encode });
  expect(made.trajectories).toMatchObject([{ failure: FailureClass.POLICY_UNAVAILABLE }]);
  expect(made.trajectories[0]!.failureMessage).toMatch(message);
  expect(made.experience).toHaveLength(0);
});

it('cuts texts until the rows fit into a message, and never tokens', async () => {
  const random = seededRandom(1);
  const text = (): string => Array.from({ length: 4000 }, () => String.fromCharCode(0x4e00 + random.integer(5000))).join('');
  const long = Array.from({ length: 36 }, () => writes(text()));
  const made = await group('long', long, { behaviour: { maxSteps: () => 36 } });
  await store.insert('steps', made.stepRows, 'long');
  const { rows } = await store.query(
    `SELECT count(), max(lengthUTF8(text)), min(length(tokens)), min(tokens_in - length(prompt) > 0 OR step = 0) FROM steps WHERE job = 'long'`,
  );
  expect(rows).toEqual([[36, expect.toSatisfy((length: number) => length < 4000), 4000, 1]]);
});

it('gives exploration the tools that were called, and no tool where there was none', async () => {
  const exploration = { ...explorationSchema.parse(undefined), statistics: true };
  const made = await group('explored', script, { exploration });
  expect(made.trajectories[0]!.signals).toMatchObject({ tool: [0, NO_TOOL, NO_TOOL, 1], error: [false, true, true, false] });
  expect(made.trajectories[0]!.signals!.bucket).toHaveLength(4);
  // Without choices a group would have nothing to learn from.
  expect(made.decisions).toMatchObject({ choices: 4, relativeEntropy: 4, tools: [1, 1] });
});
