import { create } from '@bufbuild/protobuf';
import { afterEach, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { MillraceError } from '../../src/errors.ts';
import { WorkResponseSchema, type WorkRequest, type WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { Link } from '../../src/rpc/link.ts';
import { memoryLinkPair } from '../../src/rpc/memory-link.ts';
import type { Role } from '../runtime/context.ts';
import { startLearner } from './index.ts';

/** A learner, and parameter servers that note what it says. */
async function withServers(known: string[]) {
  const nodes = new MemoryNodes('/nowhere');
  const context = await nodes.clock.run(nodes.node('learner'));
  const links = new Map<string, Link<WorkRequest, WorkResponse>>();
  const heard: string[] = [];
  const dead = new Set<string>();
  let looks = 0;
  const connect = (address: string): Promise<Link<WorkResponse, WorkRequest>> => {
    if (dead.has(address)) return Promise.reject(new MillraceError('unavailable', `${address} does not answer`));
    const [theirs, ours] = memoryLinkPair<WorkRequest, WorkResponse>();
    theirs.onMessage(({ message }) => void (message.case !== 'heartbeat' && heard.push(`${address} ${message.case}`)));
    links.set(address, theirs);
    return Promise.resolve(ours);
  };
  const findServers = (): Promise<string[]> => {
    looks += 1;
    return known.length > 0 ? Promise.resolve([...known]) : Promise.reject(new MillraceError('unavailable', 'no bus'));
  };
  const compute = { backend: 'cpu', device: 'cpu', gflops: 1 } as never;
  learner = await nodes.clock.run(startLearner(context, { compute, findServers, connect, memoryBytes: () => 1 }));
  const wait = (ms: number): Promise<void> => nodes.clock.run(nodes.clock.sleep(ms));
  return { nodes, context, links, heard, dead, known, wait, looks: () => looks };
}

let learner: Role | undefined;
afterEach(async () => {
  await learner?.stop(1000);
  learner = undefined;
});

it('connects to every parameter server, and to those that come later', async () => {
  const { heard, known, wait, context } = await withServers(['a:1', 'b:1']);
  await wait(1);
  expect(heard).toEqual(['a:1 hello', 'b:1 hello']);
  known.push('c:1');
  await wait(2_100);
  expect(heard).toEqual(['a:1 hello', 'b:1 hello', 'c:1 hello']);
  expect(context.actors.list()).toMatchObject([{ waitingFor: 'shards' }]);
});

it('keeps serving one server after another has died, and reconnects to it', async () => {
  const { heard, links, dead, wait, context, nodes } = await withServers(['a:1', 'b:1']);
  await wait(1);
  dead.add('a:1');
  links.get('a:1')!.close();
  await wait(10_000);
  expect(heard).toEqual(['a:1 hello', 'b:1 hello']);
  // Work of the other is answered meanwhile: here with why it cannot be done.
  const shard = { job: 'x', round: 1, index: 0, version: 3, pass: 1 };
  void links.get('b:1')!.send(create(WorkResponseSchema, { message: { case: 'shard', value: shard } }));
  await nodes.until(() => heard.includes('b:1 failure'), 1);
  dead.delete('a:1');
  await wait(2_100);
  expect(heard.filter((each) => each === 'a:1 hello')).toHaveLength(2);
  expect(context.actors.list()).toMatchObject([{ waitingFor: 'shards', messages: 1 }]);
});

it('looks for parameter servers twice a second while it has none', async () => {
  const { heard, known, looks, wait, context } = await withServers([]);
  await wait(5_000);
  expect(looks()).toBeGreaterThanOrEqual(9);
  expect(context.actors.list()).toMatchObject([{ waitingFor: 'a parameter server', lastError: 'no bus' }]);
  known.push('a:1');
  await wait(600);
  expect(heard).toEqual(['a:1 hello']);
});

it('closes its connections when it stops', async () => {
  const { links, wait } = await withServers(['a:1', 'b:1']);
  await wait(1);
  await learner!.stop(1000);
  await Promise.all([...links.values()].map(({ closed }) => closed));
});
