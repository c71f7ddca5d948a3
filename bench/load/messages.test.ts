import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { ScoredGroupSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { groupMessage, idOf } from './messages.ts';
import { syntheticTemplates } from './templates.ts';

it('makes messages that hold the rows they say they hold, under ids of their own', async () => {
  const templates = syntheticTemplates(2);
  const store = new MemoryStore();
  await store.migrate();
  const messages = [0, 1, 2, 3].map((sequence) => groupMessage(templates[sequence % 2]!, { job: 'load', sequence, nowUs: 1e15 }));
  for (const { data } of messages) {
    const group = fromBinary(ScoredGroupSchema, data);
    await store.insert('steps', group.stepRows, '');
    await store.insert('trajectories', group.trajectoryRows, '');
  }
  const trajectories = store.rows('trajectories');
  const steps = store.rows('steps');
  expect(steps).toHaveLength(messages.reduce((sum, message) => sum + message.steps, 0));
  expect(trajectories).toHaveLength(messages.reduce((sum, { lengths }) => sum + lengths.length, 0));
  for (const { id, lengths } of messages) {
    const stored = lengths.map((_, member) => steps.filter((row) => row['trajectory_id'] === `${id}:${member}`).length);
    expect(stored).toEqual(lengths);
  }
  expect(messages[2]!.subject).toBe('scored.load.train');
  expect(messages[2]!.data.length).toBeGreaterThan(10_000);
});

it('makes the same templates for the same seed, and ids that sort by round', () => {
  const text = (seed: number): string =>
    JSON.stringify(syntheticTemplates(1, seed).map(({ steps, trajectories }) => [steps, trajectories]));
  expect(text(5)).toBe(text(5));
  expect(text(5)).not.toBe(text(6));
  const ids = [0, 8, 80, 800].map((sequence) => idOf('job', sequence, 'made-9'));
  expect([...ids].sort()).toEqual(ids);
});
