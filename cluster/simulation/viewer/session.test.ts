import { describe, expect, it } from 'vitest';
import { faultBarsOf } from './page/fault-bars.ts';
import { outagesOf } from './page/outages.ts';
import { Session } from './page/session.ts';
import { syntheticRun } from './synthetic-run.fixture.ts';

const run = syntheticRun(3000);

describe('what the page shows', () => {
  it('begins at the violation, with every event', () => {
    const session = new Session(run);
    expect([session.selected, session.rows.length, session.violation]).toEqual([2999, 3000, 2999]);
    expect([...session.kinds.values()].reduce((a, b) => a + b)).toBe(3000);
  });

  it('steps over what is hidden, and stays within what is shown', () => {
    const session = new Session(run);
    session.show(() => session.hiddenKinds.add('violation'));
    session.step(1);
    expect(session.selected).toBe(2998);
    session.show(() => ['stored', 'deliver', 'acked'].forEach((kind) => session.hiddenKinds.add(kind)));
    session.selectRow(0);
    session.step(-1);
    expect(session.selected).toBe(0);
    const shown = session.rows.slice(0, 30);
    for (const index of shown.slice(1)) {
      session.step(1);
      expect(session.selected).toBe(index);
    }
    session.selectRow(99_999);
    expect(session.selected).toBe(session.rows.at(-1));
  });

  it('steps from an event that is hidden to the nearest on either side', () => {
    const session = new Session(run);
    const hidden = run.events.find(({ kind, index }) => kind === 'deliver' && index > 100)!.index;
    session.show(() => session.hiddenKinds.add('deliver'));
    for (const [by, expected] of [
      [1, session.rows.find((index) => index > hidden)],
      [-1, session.rows.findLast((index) => index < hidden)],
    ] as const) {
      session.select(hidden);
      session.step(by);
      expect(session.selected).toBe(expected);
    }
  });

  it('goes from fault to fault', () => {
    const session = new Session(run);
    session.select(0);
    session.stepAmong(session.faults, 1);
    expect(run.events[session.selected]!.lane).toBe('faults');
    expect(session.selected).toBe(session.faults[0]);
    session.stepAmong(session.faults, -1);
    expect(session.selected).toBe(session.faults[0]);
  });

  it('finds text, lanes, kinds, faults and numbers, and shows only these', () => {
    const session = new Session(run);
    const found = (query: string): number[] => {
      session.show(() => (session.query = query));
      return session.matches;
    };
    const matching = run.events.filter(({ text }) => text.includes('group 12:')).map(({ index }) => index);
    expect(matching.length).toBeGreaterThan(5);
    expect(found(' GROUP 12: ')).toEqual(matching);
    expect(found('#2999')).toEqual([2999]);
    expect(found('f2').length).toBeGreaterThan(1);
    session.show(() => Object.assign(session, { query: 'group 12:', onlyMatches: true }));
    expect(session.rows).toEqual(matching);
    expect(session.rowOf[matching[1]!]).toBe(1);
    session.showEverything();
    expect(session.rows).toHaveLength(3000);
  });

  it('leaves what led to the end', () => {
    const session = new Session(run);
    session.show(() => (session.onlyCauses = true));
    expect(session.rows.length).toBeLessThanOrEqual(300 + session.faults.length);
    expect(session.rows).toEqual(expect.arrayContaining([...session.faults, 2999]));
  });

  it('tells the rows of a time', () => {
    const session = new Session(run);
    session.show(() => ['ack', 'acked'].forEach((kind) => session.hiddenKinds.add(kind)));
    const [from, to] = session.rowsBetween(5000, 6000);
    const within = session.rows.filter((index) => run.events[index]!.at >= 5000 && run.events[index]!.at <= 6000);
    expect(session.rows.slice(from, to)).toEqual(within);
  });
});

describe('bands', () => {
  it('show when a node was down or stood still', () => {
    const at = (lane: string, kind: string, index: number): object => ({ index, at: index, lane, kind, text: '' });
    const kinds = [
      ['a', 'start'],
      ['a', 'crash'],
      ['b', 'pause'],
      ['faults', 'crash'],
      ['b', 'resume'],
      ['a', 'start'],
      ['b', 'crash'],
    ];
    const events = kinds.map(([lane, kind], index) => at(lane!, kind!, index)) as typeof run.events;
    expect(outagesOf({ ...run, events })).toEqual([
      { lane: 'a', kind: 'crash', from: 1, to: 5 },
      { lane: 'b', kind: 'pause', from: 2, to: 4 },
      { lane: 'b', kind: 'crash', from: 6, to: 7 },
    ]);
  });

  it('of faults that overlap are side by side', () => {
    const fault = (id: string, at: number, untilMs?: number): (typeof run.faults)[0] => ({
      id,
      text: id,
      at,
      ...(untilMs !== undefined && { untilMs }),
    });
    const { bars, count } = faultBarsOf([fault('c', 30, 40), fault('a', 0, 20), fault('b', 10, 35), fault('once', 5)]);
    expect(bars.map(({ fault: { id }, bar }) => [id, bar])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 0],
    ]);
    expect(count).toBe(2);
  });
});
