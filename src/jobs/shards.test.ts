import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reduceShards, type ShardSum } from './reduce.ts';
import { cutShards, ShardBoard } from './shards.ts';

describe('cutShards', () => {
  it('cuts by number of groups only and loses none', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), (groups, size) => {
        const shards = cutShards(groups, size);
        expect(shards.flat()).toEqual(groups);
        for (const shard of shards.slice(0, -1)) expect(shard).toHaveLength(size);
      }),
    );
    const mib = (...sizes: number[]): number[][] => cutShards(sizes, 3, (size) => size * 1024 * 1024);
    expect(mib(1, 30, 2, 1, 1)).toEqual([[1, 30], [2], [1, 1]]);
    expect(mib(40, 40, 1)).toEqual([[40], [40], [1]]);
    expect(() => cutShards([1], 0)).toThrow(expect.objectContaining({ field: 'groupsPerShard' }));
  });
});

/** Gives each learner two of the shards that wait, as long as there are any. */
function assign(board: ShardBoard, ...learners: string[]): number[] {
  const given: number[] = [];
  for (const held of [0, 1])
    for (const learner of learners) {
      const shard = board.heldBy(learner).length === held ? board.give(learner) : undefined;
      if (shard !== undefined) given.push(shard);
    }
  return given;
}

describe('ShardBoard', () => {
  it('ends every shard exactly once while learners come, go and answer late', () => {
    const events = fc.array(fc.record({ kind: fc.constantFrom('finish', 'lose', 'join'), pick: fc.nat() }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), events, (shards, script) => {
        const board = new ShardBoard(shards);
        let learners = ['a', 'b'];
        const finished: number[] = [];
        const sent: number[] = [];
        const step = (): void => void sent.push(...assign(board, ...learners));
        step();
        for (const { kind, pick } of script) {
          const learner = learners[pick % Math.max(1, learners.length)];
          if (kind === 'join') learners.push(`l${learners.length}${pick}`);
          else if (kind === 'lose' && learner !== undefined) {
            board.lost(learner);
            learners = learners.filter((name) => name !== learner);
          } else if (kind === 'finish' && sent.length > 0) {
            // Also results of learners that were given up already, and second results.
            const shard = sent[pick % sent.length]!;
            if (board.finish(shard)) finished.push(shard);
          }
          step();
        }
        // One learner is left in the end and gets all that is open, however the others went.
        for (const name of learners) board.lost(name);
        learners = ['z'];
        for (let guard = 0; !board.complete; guard++) {
          expect(guard).toBeLessThan(shards);
          step();
          for (const shard of board.heldBy('z')) if (board.finish(shard)) finished.push(shard);
        }
        expect([...finished].sort((x, y) => x - y)).toEqual([...Array(shards).keys()]);
        expect(board.done).toBe(shards);
      }),
    );
  });

  it('gives the shards of a lost learner to the others in the same round', () => {
    const board = new ShardBoard(4);
    expect(assign(board, 'a', 'b')).toEqual([0, 1, 2, 3]);
    expect(board.heldBy('a')).toEqual([0, 2]);
    board.finish(0);
    expect(board.lost('a')).toEqual([2]);
    expect([board.give('b'), board.give('b')]).toEqual([2, undefined]);
    expect(board.finish(0)).toBe(false);
    expect(board.finish(9)).toBe(false);
  });

  it('gives a shard up that no learner can compute', () => {
    const board = new ShardBoard(1, { maxFailures: 2 });
    assign(board, 'a');
    board.fail(0, 'someone else', 'ignored');
    board.fail(0, 'a', 'out of memory');
    assign(board, 'b');
    expect(() => board.fail(0, 'b', 'out of memory')).toThrow(
      expect.objectContaining({ code: 'aborted', message: 'shard 0 failed 2 times, last on b: out of memory' }),
    );
  });
});

describe('reduceShards', () => {
  const results = fc
    .array(
      fc.tuple(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 5, maxLength: 5 }),
        fc.double({ min: 0, max: 100, noNaN: true }),
      ),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    .map((list) =>
      list.map(([gradient, weight], shard): ShardSum => ({
        shard,
        gradient: Float32Array.from(gradient),
        weight,
        statistics: { loss: weight / 3 },
      })),
    );

  it('gives the same bits in any order of arrival', () => {
    const shuffled = results.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([list, mixed]) => {
        expect(reduceShards(mixed, list.length)).toEqual(reduceShards(list, list.length));
      }),
    );
  });

  it('adds gradients, weights and statistics', () => {
    const sum = reduceShards(
      [
        { shard: 1, gradient: Float32Array.of(1, 2), weight: 3, statistics: { loss: 1, kl: 2 } },
        { shard: 0, gradient: Float32Array.of(0.5, -2), weight: 1, statistics: { loss: 0.25 } },
      ],
      2,
    );
    expect(sum).toEqual({ gradient: Float64Array.of(1.5, 0), weight: 4, statistics: { loss: 1.25, kl: 2 } });
    expect(reduceShards([], 0)).toEqual({ gradient: new Float64Array(0), weight: 0, statistics: {} });
  });

  it('refuses rounds that are not whole or not finite', () => {
    const one = { shard: 0, gradient: Float32Array.of(1), weight: 1, statistics: {} };
    expect(() => reduceShards([one], 2)).toThrow(/2 shards was reduced with shards 0$/);
    expect(() => reduceShards([one, one], 2)).toThrow(expect.objectContaining({ code: 'internal' }));
    expect(() => reduceShards([one, { ...one, shard: 1, gradient: Float32Array.of(1, 2) }], 2)).toThrow(
      /2 gradient values, not 1/,
    );
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      expect(() => reduceShards([{ ...one, gradient: Float32Array.of(bad) }], 1)).toThrow(
        expect.objectContaining({ code: 'data_loss' }),
      );
      expect(() => reduceShards([{ ...one, weight: bad }], 1)).toThrow(expect.objectContaining({ code: 'data_loss' }));
    }
  });
});
