import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { ServeTaskSchema, type ServeTask } from '../../../src/gen/millrace/v1/serving_pb.ts';
import { serveSubject } from '../../../src/protocol/subjects.ts';
import { MemoryNodes } from '../../../test/support/memory-node.ts';
import type { NodeInfo } from '../../runtime/nodes.ts';
import { WorkerCalls } from './worker-calls.ts';

/** A coordinator that asks rollout worker `w`, which never answers, and knows of it what `worker` says. */
async function asked() {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  const context = await clock.run(nodes.node('coordinator'));
  let worker: { startedAt: number } | undefined = { startedAt: 1 };
  const withRole = () => (worker === undefined ? [] : [{ id: 'w', ...worker } as NodeInfo]);
  const calls = new WorkerCalls(context, { withRole });
  const received: ServeTask[] = [];
  context.bus.listen(serveSubject('w'), (data) => void received.push(fromBinary(ServeTaskSchema, data)));
  const started = clock.now();
  const outcome = calls
    .ask({ deadlineUs: BigInt((started + 25_000) * 1000) } as Parameters<typeof calls.ask>[0])
    .then(String, ({ code, message }: { code: string; message: string }) => `${code}: ${message}`);
  let ended: number | undefined;
  void outcome.then(() => (ended = clock.now() - started));
  const pass = (ms: number): Promise<void> => clock.run(clock.sleep(ms));
  await pass(100);
  expect(received).toHaveLength(1);
  return { calls, outcome, pass, ended: () => ended, becomes: (next: typeof worker) => (worker = next) };
}

const LOST = 'unavailable: Rollout worker w was lost while it solved the task. What its tools had done until then is not known.';

it('a task whose worker was started again ends soon, and says so', async () => {
  const { calls, outcome, pass, becomes, ended } = await asked();
  await pass(3_000);
  expect(ended()).toBeUndefined();
  becomes({ startedAt: 2 });
  await pass(1_500);
  expect(await outcome).toBe(LOST);
  calls.close();
});

it('a worker that has gone is waited for as long as one that stops may take to answer', async () => {
  const { calls, outcome, pass, becomes, ended } = await asked();
  becomes(undefined);
  await pass(5_000);
  expect(ended()).toBeUndefined();
  await pass(3_000);
  expect(await outcome).toBe(LOST);
  calls.close();
});

it('a worker that is there has until the deadline', async () => {
  const { calls, outcome, pass, becomes, ended } = await asked();
  becomes(undefined);
  await pass(3_000);
  becomes({ startedAt: 1 });
  await pass(21_500);
  expect(ended()).toBeUndefined();
  await pass(1_000);
  expect(await outcome).toBe('deadline_exceeded: Rollout worker w did not solve the task within 25000 ms.');
  calls.close();
});
