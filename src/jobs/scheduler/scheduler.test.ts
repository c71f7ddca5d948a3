import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedulerSchema } from '../../config/scheduler.ts';
import type { Contender } from './contender.ts';
import { planPlaces, type PlacedJob, type PlaceState } from './plan.ts';
import { queuePlaces } from './queue.ts';
import { DeficitRoundRobin } from './round-robin.ts';
import { shareOut } from './shares.ts';
import { limitOf, weightOf } from './waiting-jobs.ts';

const OWNERS = ['ann', 'bob', 'eve'];
const job = (id: string, owner = 'ann', priority = 0, createdAt = 0): Contender => ({ id, owner, priority, createdAt });
const placed = (contender: Contender, since = 0): PlacedJob => ({ ...contender, since });
const settings = (owners: PlaceState['settings']['owners'] = {}, minRunSeconds = 60): PlaceState['settings'] => ({
  owners,
  minRunSeconds,
});

const ownerSettings = fc
  .record(
    Object.fromEntries(
      OWNERS.map((owner) => [
        owner,
        fc.record({ weight: fc.integer({ min: 1, max: 5 }), maxRunning: fc.integer({ min: 1, max: 6 }) }, { requiredKeys: [] }),
      ]),
    ),
    { requiredKeys: [] },
  )
  .map((owners) => schedulerSchema.parse({ owners }).owners);
const contenders = (prefix: string): fc.Arbitrary<Contender[]> =>
  fc
    .array(
      fc.record({
        owner: fc.constantFrom(...OWNERS),
        priority: fc.integer({ min: -2, max: 2 }),
        createdAt: fc.integer({ min: 0, max: 20 }),
      }),
      { maxLength: 12 },
    )
    .map((jobs) => jobs.map((fields, i) => ({ id: `${prefix}${i}`, ...fields })));
const states: fc.Arbitrary<PlaceState> = fc
  .record({
    placed: contenders('p').chain((jobs) =>
      fc
        .array(fc.integer({ min: 0, max: 200_000 }), { minLength: jobs.length, maxLength: jobs.length })
        .map((times) => jobs.map((contender, i) => placed(contender, times[i]))),
    ),
    waiting: contenders('w'),
    places: fc.integer({ min: 0, max: 14 }),
    owners: ownerSettings,
    minRunSeconds: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ owners, minRunSeconds, ...rest }) => ({ now: 200_000, settings: { owners, minRunSeconds }, ...rest }));
const counts = (jobs: readonly { owner: string }[]): Map<string, number> => {
  const found = new Map<string, number>();
  for (const { owner } of jobs) found.set(owner, (found.get(owner) ?? 0) + 1);
  return found;
};

describe('planPlaces', () => {
  it('starts the highest priority first, then the oldest, by id where they are as old', () => {
    const waiting = [job('c', 'ann', 0, 2), job('b', 'ann', 0, 1), job('a', 'ann', 0, 1), job('urgent', 'ann', 5, 9)];
    const plan = planPlaces({ now: 0, placed: [], waiting, places: 3, settings: settings() });
    expect(plan).toEqual({ admit: ['urgent', 'a', 'b'], preempt: [] });
  });

  it('lets owners have places by their weights', () => {
    const waiting = OWNERS.slice(0, 2).flatMap((owner) => Array.from({ length: 9 }, (_, i) => job(`${owner}-${i}`, owner, 0, i)));
    const { admit } = planPlaces({
      now: 0,
      placed: [],
      waiting,
      places: 8,
      settings: settings({ ann: { weight: 3 }, bob: { weight: 1 } }),
    });
    expect(admit.filter((id) => id.startsWith('ann'))).toHaveLength(6);
  });

  it('passes over an owner at its limit', () => {
    const waiting = [job('a', 'ann', 9), job('b', 'bob')];
    const plan = planPlaces({
      now: 0,
      placed: [placed(job('x'))],
      waiting,
      places: 3,
      settings: settings({ ann: { weight: 1, maxRunning: 1 } }),
    });
    expect(plan).toEqual({ admit: ['b'], preempt: [] });
  });

  it('takes the place of the lowest priority, once it has run for the minimum time', () => {
    const running = [placed(job('low', 'ann', -1), 50_000), placed(job('middle', 'ann', 1), 0)];
    const waiting = [job('high', 'ann', 2)];
    const at = (now: number) => planPlaces({ now, placed: running, waiting, places: 2, settings: settings() });
    expect(at(30_000)).toEqual({ admit: [], preempt: [] });
    expect(at(60_000)).toEqual({ admit: [], preempt: [{ job: 'middle', by: 'high' }] });
    expect(at(110_000)).toEqual({ admit: [], preempt: [{ job: 'low', by: 'high' }] });
  });

  it('gives an owner below its share the newest place of one above', () => {
    const running = [0, 1, 2].map((i) => placed(job(`ann-${i}`), i));
    const plan = planPlaces({
      now: 1e6,
      placed: running,
      waiting: [job('bob', 'bob'), job('bob-2', 'bob')],
      places: 3,
      settings: settings(),
    });
    expect(plan).toEqual({ admit: [], preempt: [{ job: 'ann-2', by: 'bob' }] });
  });

  it('never has more jobs than places, nor an owner more than its limit', () => {
    fc.assert(
      fc.property(states, (state) => {
        const { admit, preempt } = planPlaces(state);
        const gone = new Set(preempt.map(({ job: id }) => id));
        const after = [
          ...state.placed.filter(({ id }) => !gone.has(id)),
          ...state.waiting.filter(({ id }) => admit.includes(id)),
        ];
        expect(after.length).toBeLessThanOrEqual(Math.max(state.places, state.placed.length));
        if (admit.length > 0) expect(after.length + preempt.length).toBeLessThanOrEqual(state.places);
        const before = counts(state.placed);
        for (const [owner, has] of counts(after))
          expect(has).toBeLessThanOrEqual(Math.max(limitOf(state.settings.owners, owner), before.get(owner) ?? 0));
      }),
    );
  });

  it('leaves no place free that somebody may have', () => {
    fc.assert(
      fc.property(states, (state) => {
        const { admit } = planPlaces(state);
        if (state.placed.length + admit.length >= state.places) return;
        const has = counts([...state.placed, ...state.waiting.filter(({ id }) => admit.includes(id))]);
        for (const { id, owner } of state.waiting)
          if (!admit.includes(id)) expect(has.get(owner) ?? 0).toBeGreaterThanOrEqual(limitOf(state.settings.owners, owner));
      }),
    );
  });

  it('comes to rest: no job takes a place back from the one that took its own', () => {
    fc.assert(
      fc.property(states, (state) => {
        let { placed: running, waiting } = state;
        let now = state.now;
        for (let turn = 0; turn < 60; turn += 1) {
          const { admit, preempt } = planPlaces({ ...state, now, placed: running, waiting });
          if (admit.length + preempt.length === 0) return;
          const gone = new Set(preempt.map(({ job: id }) => id));
          const entered = waiting.filter(({ id }) => admit.includes(id)).map((contender) => placed(contender, now));
          waiting = [...waiting.filter(({ id }) => !admit.includes(id)), ...running.filter(({ id }) => gone.has(id))];
          running = [...running.filter(({ id }) => !gone.has(id)), ...entered];
          now += 1_000_000;
        }
        expect.fail('places go round and round');
      }),
    );
  });
});

describe('queuePlaces', () => {
  it('numbers the jobs in the order in which they start, and says why they wait', () => {
    const owners = { ann: { weight: 1, maxRunning: 1 } };
    const state = { placed: [job('x'), job('y', 'bob')], places: 2, owners };
    const waiting = [job('a'), { ...job('b', 'bob'), preemptedBy: 'y' }, job('c', 'eve', 3)];
    expect([...queuePlaces({ ...state, waiting })]).toEqual([
      ['c', { position: 1, reason: '2 of 2 jobs run' }],
      ['b', { position: 2, reason: 'y took its place; 2 of 2 jobs run' }],
      ['a', { position: 3, reason: 'owner ann has 1 of 1 jobs running' }],
    ]);
  });

  it('begins with the jobs that are admitted when places become free', () => {
    fc.assert(
      fc.property(states, (state) => {
        const queue = queuePlaces({ ...state, owners: state.settings.owners });
        expect([...queue.values()].map(({ position }) => position)).toEqual(state.waiting.map((_, i) => i + 1));
        const { admit } = planPlaces({
          ...state,
          places: state.placed.length + 1,
          settings: { ...state.settings, minRunSeconds: 1e9 },
        });
        if (admit.length > 0) expect(queue.get(admit[0]!)?.position).toBe(1);
      }),
    );
  });
});

describe('deficit round robin', () => {
  it('shares costs by weight, whatever a piece costs', () => {
    const claim = fc.record({ weight: fc.integer({ min: 1, max: 8 }), cost: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(claim, { minLength: 2, maxLength: 6 }), (claims) => {
        const turns = new DeficitRoundRobin<number>();
        const served = claims.map(() => 0);
        for (let turn = 0; turn < 4000; turn += 1) {
          const key = turns.next(claims.map((fields, i) => ({ key: i, ...fields })))!;
          served[key]! += claims[key]!.cost;
        }
        const perWeight = served.map((cost, i) => cost / claims[i]!.weight);
        // Within a few of the largest pieces of each other, however long it goes on.
        expect(Math.max(...perWeight) - Math.min(...perWeight)).toBeLessThan(45);
      }),
    );
  });

  it('serves who comes late at once, without what it missed', () => {
    const turns = new DeficitRoundRobin<string>();
    const claim = (key: string) => ({ key, weight: 1, cost: 1 });
    for (let turn = 0; turn < 100; turn += 1) expect(turns.next([claim('a')])).toBe('a');
    const after = Array.from({ length: 10 }, () => turns.next([claim('a'), claim('b')]));
    expect(after.filter((key) => key === 'b')).toHaveLength(5);
    expect(turns.next([])).toBeUndefined();
  });
});

describe('shareOut', () => {
  const demands = fc
    .array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), wanted: fc.integer({ min: 0, max: 50 }) }), { maxLength: 20 })
    .map((all) => all.map((fields, i) => ({ job: `job-${i}`, ...fields })));

  it('gives every job what it wants or its part, at least one, and the rest of a part to others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), demands, (capacity, all) => {
        const shares = shareOut(capacity, all);
        const weights = all.reduce((sum, { weight, wanted }) => sum + (wanted > 0 ? weight : 0), 0);
        let sum = 0;
        for (const { job: id, weight, wanted } of all) {
          const share = shares.get(id) ?? 0;
          expect(share).toBeLessThanOrEqual(wanted);
          const part = wanted === 0 ? 0 : Math.max(1, Math.floor((capacity * weight) / weights));
          expect(share).toBeGreaterThanOrEqual(Math.min(wanted, part));
          sum += share;
        }
        const wanted = all.reduce((total, demand) => total + demand.wanted, 0);
        const ones = [...shares.values()].filter((share) => share === 1).length;
        expect(sum).toBeGreaterThanOrEqual(Math.min(capacity, wanted));
        expect(sum).toBeLessThanOrEqual(capacity + ones);
      }),
    );
  });

  it('is the same for whoever computes it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), demands, (capacity, all) => {
        expect(shareOut(capacity, [...all].reverse())).toEqual(shareOut(capacity, all));
      }),
    );
  });
});

it('knows an owner that no setting names, also one that is called like something every object has', () => {
  expect([weightOf({}, 'constructor'), limitOf({}, 'valueof')]).toEqual([1, Infinity]);
});
