import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { Termination } from '../gen/millrace/v1/flow_pb.ts';
import { choice } from '../policy/decision.ts';
import { seededRandom } from '../random/seeded.ts';
import { parcelFlow, type ParcelBehaviour, type ParcelMemory } from './fixtures/parcels.ts';
import type { Planner } from './planner.ts';
import { runFlow, type FlowRun } from './run.ts';

/** Stamps parcel 0, again (an error), parcel 1, and leaves. */
const ACTIONS = [0, 0, 1, 2];

function run(behaviour: ParcelBehaviour, stateBytes = 2048): Promise<FlowRun> {
  const clock = new VirtualClock();
  const planner: Planner = {
    choose: ({ step }) => ({ decision: choice(ACTIONS[step]!), logProbability: 0, entropy: 0 }),
  };
  const task = { id: 't', parcels: ['a', 'b'] };
  const flow = parcelFlow(behaviour);
  return clock.run(runFlow({ flow, task, context: undefined, planner, random: seededRandom(1), clock, stateBytes }));
}

const states = ({ steps }: FlowRun) => steps.map(({ stateBefore, stateAfter }) => [stateBefore, stateAfter]);
const stamped = ({ stamped }: ParcelMemory): unknown => [...stamped];

describe('states of a flow', () => {
  it('are what it observes, once before the first step and then where they change', async () => {
    expect(states(await run({ observe: stamped }))).toEqual([
      ['[]', '[0]'],
      ['', ''],
      ['', '[0,1]'],
      ['', ''],
    ]);
  });

  it('are what its plans show where it observes nothing; nobody knows the last one', async () => {
    const shown = (done: boolean[]): string =>
      JSON.stringify({
        text: 'stamp a b',
        flags: { left: 2 - done.filter(Boolean).length },
        items: ['a', 'b'].map((text, i) => ({ text, at: i + 1, flags: { stamped: done[i] } })),
      });
    expect(states(await run({}))).toEqual([
      [shown([false, false]), shown([true, false])],
      ['', ''],
      ['', shown([true, true])],
      ['', 'null'],
    ]);
  });

  it('are not asked for where none are wanted', async () => {
    let asked = 0;
    const observe = (): number => (asked += 1);
    expect(states(await run({ observe }, 0))).toEqual(ACTIONS.map(() => ['', '']));
    expect(asked).toBe(0);
    await run({ observe });
    expect(asked).toBe(ACTIONS.length + 1);
  });

  const throwing = (thrown: unknown) => (): never => {
    throw thrown;
  };
  const itself: unknown[] = [];
  itself.push(itself);
  it.each<[string, () => unknown, string]>([
    ['throws', throwing(new Error('not now')), '{"observe":"[throws: not now]"}'],
    ['throws what cannot be told', throwing({ toString: null }), '{"observe":"[throws]"}'],
    [
      'returns a promise',
      () => Promise.reject(new Error('late')),
      '"[observe returned a promise: it must return the state at once]"',
    ],
    [
      'returns a thenable that throws',
      () => ({
        then: 1,
        get a() {
          return throwing(new Error('no'))();
        },
      }),
      '{"then":1,"a":"[throws: no]"}',
    ],
    ['contains itself', () => itself, '["[contains itself]"]'],
    ['returns nothing', () => undefined, 'null'],
    ['returns a BigInt', () => 3n, '"3"'],
    ['returns half a character', () => 'a\ud83d', '"a\ufffd"'],
  ])('harm nothing where observe %s', async (_, observe, shown) => {
    const result = await run({ observe });
    expect(result).toMatchObject({ termination: Termination.DONE, failure: undefined });
    expect(states(result)).toEqual(ACTIONS.map((_action, step) => [step === 0 ? shown : '', '']));
  });

  it('are bounded, whatever memory holds', async () => {
    const result = await run(
      { observe: ({ log }) => ({ steps: log.length, all: Array.from({ length: 1000 }, () => log) }) },
      100,
    );
    for (const { stateAfter } of result.steps) {
      expect(Buffer.byteLength(stateAfter)).toBeLessThanOrEqual(100);
      expect(JSON.parse(stateAfter)).toMatchObject({ all: expect.arrayContaining(['…']) as unknown });
    }
  });
});
