import { describe, expect, it } from 'vitest';
import { etaSeconds, quietSeconds, RateWindow, waitingFor, type WaitState } from './progress.ts';

describe('RateWindow', () => {
  it('looks back as far as its window', () => {
    const window = new RateWindow(10_000);
    expect(window.rates()).toEqual({ trajectoriesPerSecond: 0, roundsPerSecond: 0 });
    for (let s = 0; s <= 60; s++) window.add({ at: s * 1000, rounds: s < 50 ? 0 : s - 50, trajectories: s * 8 });
    expect(window.rates()).toEqual({ trajectoriesPerSecond: 8, roundsPerSecond: 1 });
    window.restart();
    window.add({ at: 100_000, rounds: 10, trajectories: 480 });
    expect(window.rates().trajectoriesPerSecond).toBe(0);
    window.add({ at: 102_000, rounds: 10, trajectories: 500 });
    expect(window.rates()).toEqual({ trajectoriesPerSecond: 10, roundsPerSecond: 0 });
  });
});

describe('etaSeconds', () => {
  it('is unknown without a rate and zero at the end', () => {
    expect([etaSeconds(10, 60, 0.5), etaSeconds(10, 60, 0), etaSeconds(60, 60, 0)]).toEqual([100, -1, 0]);
  });
});

describe('quietSeconds', () => {
  it('is zero for half a minute', () => {
    expect([0, 29_999, 30_000, 61_900].map(quietSeconds)).toEqual([0, 0, 30, 61]);
  });
});

describe('waitingFor', () => {
  const nodes = { rollout: 2, reward: 1, learner: 2, parameterServer: 1, store: 1 };
  const base: WaitState = { state: 'RUNNING', round: 11, groups: { received: 3, needed: 8 }, open: 13, nodes };

  it.each<[string, Partial<WaitState>, string]>([
    ['groups', {}, 'groups of round 12: 3 of 8 received (13 requests in flight)'],
    ['nothing, once it has ended', { state: 'SUCCEEDED' }, ''],
    ['a coordinator', { state: 'QUEUED' }, 'a coordinator that takes the job'],
    ['a person', { state: 'PAUSED' }, 'someone to resume it; 10 requests still end; 3 of 8 groups are kept for round 12'],
    ['a person alone', { state: 'PAUSED', open: 3 }, 'someone to resume it; 3 of 8 groups are kept for round 12'],
    ['a person after a round', { state: 'PAUSED', open: 0, groups: { received: 0, needed: 8 } }, 'someone to resume it'],
    [
      'how long nothing was received',
      { quietSeconds: 1234, problem: 'a checkpoint was not written' },
      'groups of round 12: 3 of 8 received (13 requests in flight); nothing received for 1,234 s (note: a checkpoint was not written)',
    ],
    [
      'what failed while nothing comes',
      {
        quietSeconds: 40,
        failures: [
          { actor: 'rollout-1/rollout/worker', error: 'the store is away' },
          { actor: 'rollout-2/rollout/worker', error: 'x' },
        ],
      },
      'groups of round 12: 3 of 8 received (13 requests in flight); nothing received for 40 s; rollout-1/rollout/worker failed: the store is away (and 1 more: millrace actor list)',
    ],
    [
      'no failure while something comes',
      { quietSeconds: 0, failures: [{ actor: 'rollout-1/rollout/worker', error: 'x' }] },
      'groups of round 12: 3 of 8 received (13 requests in flight)',
    ],
    [
      'roles that nobody plays',
      { nodes: { ...nodes, learner: 0, rollout: 0 } },
      'a rollout worker and a learner to connect (none is alive)',
    ],
    [
      'a store that is behind',
      {
        store: {
          groups: 2310,
          low: 500,
          writer: { rowsPerSecond: 4200.4, rowsPerMessage: 115, waitingFor: 'the insert of a batch' },
        },
      },
      'the store, which is 2,310 groups (about 265,650 rows) behind: it writes 4,200 rows/s; new requests from 500 on; groups of round 12: 3 of 8 received (13 requests in flight)',
    ],
    [
      'a store in trouble',
      {
        open: 0,
        groups: { received: 8, needed: 8 },
        store: {
          groups: 7,
          low: 5,
          writer: { rowsPerSecond: 0, rowsPerMessage: 0, waitingFor: 'the store (attempt 4 failed: disk full)' },
        },
      },
      'the store, which is 7 groups behind: it writes 0 rows/s, waiting for the store (attempt 4 failed: disk full); new requests from 5 on',
    ],
    [
      'a store that nobody has heard of',
      { open: 0, groups: { received: 8, needed: 8 }, store: { groups: 7, low: 5 } },
      'the store, which is 7 groups behind: it has not been heard of lately; new requests from 5 on',
    ],
    ['gradients', { shards: { done: 3, total: 8 } }, 'gradients of round 12: 3 of 8 shards are done'],
    ['weights', { publishing: true, shards: { done: 8, total: 8 } }, 'the weights of round 12 to be published'],
    [
      'an evaluation and space',
      { groups: { received: 8, needed: 8 }, evaluation: { key: 'trained@11', done: 4, total: 94 }, backpressureMs: 2500 },
      'evaluation trained@11: 4 of 94 tasks are done; space in ROLLOUTS for 2.5 s (rollout workers are behind) (13 requests in flight)',
    ],
    [
      'the end it was asked for',
      { cancelRequested: true },
      'groups of round 12: 3 of 8 received (13 requests in flight), then it ends as asked',
    ],
    [
      'a large task file',
      { state: 'QUEUED', loading: '120 of 191 MiB of tasks read' },
      'its tasks to be loaded: 120 of 191 MiB of tasks read',
    ],
    ['the parameter server', { groups: { received: 8, needed: 8 } }, 'the parameter server to start on round 12'],
  ])('names %s', (_, change, text) => {
    expect(waitingFor({ ...base, ...change })).toBe(text);
  });
});
