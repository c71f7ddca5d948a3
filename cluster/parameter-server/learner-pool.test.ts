import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/clock/virtual.ts';
import {
  ShardWork,
  WorkRequestSchema,
  type Shard,
  type WeightChunk,
  type WorkRequest,
  type WorkResponse,
} from '../../src/gen/millrace/v1/learner_pb.ts';
import type { Link } from '../../src/rpc/link.ts';
import { memoryLinkPair } from '../../src/rpc/memory-link.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { LearnerPool, type RoundPass } from './learner-pool.ts';

let clock: VirtualClock;
let pool: LearnerPool;
beforeEach(() => {
  clock = new VirtualClock();
  pool = new LearnerPool(clock, silentLogger());
});
afterEach(() => pool.close());

/** A learner that answers when it is told to. */
function learner(name: string): {
  link: Link<WorkResponse, WorkRequest>;
  shards: Shard[];
  weights: WeightChunk[];
  answer: (weight: number) => void;
} {
  const [theirs, link] = memoryLinkPair<WorkRequest, WorkResponse>();
  const shards: Shard[] = [];
  const weights: WeightChunk[] = [];
  link.onMessage(({ message }) => {
    if (message.case === 'shard') shards.push(message.value);
    if (message.case === 'weights') weights.push(message.value);
  });
  pool.connect(theirs);
  void link.send(create(WorkRequestSchema, { message: { case: 'hello', value: { learner: name } } }));
  return {
    link,
    shards,
    weights,
    answer: (weight) => {
      const { job, round, index, pass } = shards.shift()!;
      const value = { job, round, pass, shard: index, weight };
      void link.send(create(WorkRequestSchema, { message: { case: 'result', value } }));
    },
  };
}

const round = (shards: number, rest: Partial<RoundPass> = {}): RoundPass => ({
  job: 'sums',
  policyJson: '{}',
  algorithmJson: '{}',
  round: 5,
  work: ShardWork.GRADIENT,
  entropy: 0,
  pass: 1,
  version: 4,
  step: 0,
  weights: new Uint8Array(4),
  shards: Array.from({ length: shards }, () => []),
  ...rest,
});

/** Lets every message that is under way arrive. */
const settle = (): Promise<void> => clock.run(clock.sleep(1));

describe('LearnerPool', () => {
  it('sends the weights of every update of a round, once, and takes no answer to another pass', async () => {
    const one = learner('one');
    await settle();
    const first = pool.compute(round(1, { work: ShardWork.EVALUATE }));
    await settle();
    one.answer(1);
    await clock.run(first);
    const second = pool.compute(round(1, { pass: 2 }));
    await settle();
    one.answer(2);
    await clock.run(second);
    const third = pool.compute(round(1, { pass: 3, step: 1 }));
    await settle();
    expect(one.weights.map(({ version, step }) => [version, step])).toEqual([
      [4, 0],
      [4, 1],
    ]);
    expect(one.shards.map(({ work, pass, step }) => [work, pass, step])).toEqual([[ShardWork.GRADIENT, 3, 1]]);
    one.shards.unshift({ ...one.shards[0]!, pass: 2 });
    one.answer(7);
    await settle();
    one.answer(3);
    expect((await clock.run(third)).map(({ weight }) => weight)).toEqual([3]);
  });

  it('gives the shards of all jobs out by turns, two to a learner', async () => {
    const one = learner('one');
    await settle();
    const large = pool.compute(round(6));
    await settle();
    expect(one.shards.map(({ job, index }) => [job, index])).toEqual([
      ['sums', 0],
      ['sums', 1],
    ]);
    const small = pool.compute(round(2, { job: 'other' }));
    const order: string[] = [];
    for (let answers = 0; answers < 8; answers += 1) {
      await settle();
      expect(one.shards.length).toBeLessThanOrEqual(2);
      order.push(one.shards[0]!.job);
      one.answer(1);
    }
    await clock.run(Promise.all([large, small]));
    // It waits for no more than what was with the learner already, and its turn.
    expect(order.lastIndexOf('other')).toBeLessThanOrEqual(5);
  });

  it('takes no answer to a round that was given up for the round that is computed in its place', async () => {
    const one = learner('one');
    await settle();
    const abort = new AbortController();
    const first = pool.compute(round(1), abort.signal);
    await settle();
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    const second = pool.compute(round(1));
    await settle();
    expect(one.shards).toHaveLength(2);
    one.answer(1);
    await settle();
    one.answer(2);
    expect((await clock.run(second)).map(({ weight }) => weight)).toEqual([2]);
  });

  it('takes a learner that comes back under its name before the old connection is known to be dead', async () => {
    const killed = learner('one');
    await settle();
    const sums = pool.compute(round(2));
    await settle();
    expect(killed.shards).toHaveLength(2);
    const again = learner('one');
    await settle();
    expect(pool.learners).toHaveLength(2);
    killed.link.close();
    await settle();
    expect(pool.learners).toEqual([expect.stringMatching(/^one#\d+$/)]);
    again.answer(1);
    again.answer(1);
    expect(await clock.run(sums)).toHaveLength(2);
  });

  it('gives the shards of a learner that says nothing to another one', async () => {
    const silent = learner('silent');
    await settle();
    const sums = pool.compute(round(1));
    await settle();
    expect(silent.shards).toHaveLength(1);
    await clock.run(clock.sleep(14_000));
    const other = learner('other');
    await clock.run(clock.sleep(4_000));
    expect(pool.learners).toEqual(['other']);
    other.answer(7);
    expect((await clock.run(sums)).map(({ weight }) => weight)).toEqual([7]);
  });

  it('refuses a second hello on one connection', async () => {
    const one = learner('one');
    void one.link.send(create(WorkRequestSchema, { message: { case: 'hello', value: { learner: 'one' } } }));
    await clock.run(one.link.closed);
    await settle();
    expect(pool.learners).toEqual([]);
  });
});
