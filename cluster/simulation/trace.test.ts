import { describe, expect, it } from 'vitest';
import { formatTrace, type TraceEvent, type TraceOfRun } from './trace.ts';
import { syntheticRun } from './viewer/synthetic-run.fixture.ts';

function runOf(events: Omit<TraceEvent, 'index' | 'at'>[], more: Partial<TraceOfRun> = {}): TraceOfRun {
  return {
    ...{ seed: 7, commit: 'abc', command: 'simulate 7', outcome: 'failed', job: 'retail', faults: [] },
    lanes: [...new Set(events.map(({ lane }) => lane))],
    events: events.map((event, index) => ({ ...event, index, at: index * 10 })),
    ...more,
  };
}

const lost = runOf(
  [
    { lane: 'coordinator', kind: 'publish', text: 'request 1' },
    { lane: 'rollout-1', kind: 'deliver', text: 'request 1', from: 0 },
    { lane: 'faults', kind: 'partition', text: 'rollout-1 is cut off', fault: 'f1' },
    { lane: 'rollout-1', kind: 'publish', text: 'group 1', lost: true, fault: 'f1' },
    { lane: 'coordinator', kind: 'violation', text: 'request 1 never ended' },
  ],
  { reason: 'request 1 never ended', faults: [{ id: 'f1', text: 'partition of rollout-1', at: 20, untilMs: 4000 }] },
);

/** Lines of events, with their blanks collapsed. */
const linesOf = (text: string): string[] =>
  text
    .slice(text.indexOf('events)\n') + 'events)\n'.length)
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '));
const indicesOf = (text: string): number[] =>
  linesOf(text).flatMap((line) => (line.startsWith('…') ? [] : [Number(/^(?:>> )?(\d+) /.exec(line)![1])]));

describe('a trace as text', () => {
  it('says how the run ended, how to run it again, and its faults', () => {
    expect(formatTrace(lost).split('\n').slice(0, 6)).toEqual([
      'Seed 7 at commit abc: FAILED: request 1 never ended',
      '  job          retail',
      '  run it again simulate 7',
      '',
      'Injected faults',
      '  F1      0.020 s until 4.000 s  partition of rollout-1',
    ]);
    expect(formatTrace({ ...lost, faults: [] })).toContain('\nNo fault was injected.\n');
  });

  it('shows who sent what to whom, what was lost, and what broke', () => {
    expect(linesOf(formatTrace(lost))).toEqual([
      '0 0.000 s coordinator ──> rollout-1 publish request 1',
      '1 0.010 s rollout-1 <── coordinator (0) deliver request 1',
      '2 0.020 s faults partition rollout-1 is cut off [F1]',
      '3 0.030 s rollout-1 ──X lost publish group 1 [F1]',
      '>> 4 0.040 s coordinator violation request 1 never ended',
    ]);
  });

  it('names a fault by what it is, and counts where an event went to many', () => {
    const id = 'request-lost@rollout-1 get jobs/job#4';
    const watched = ['a', 'b', 'c', 'd'].map((lane) => ({ lane, kind: 'kv-change', text: 'jobs/job', from: 0 }));
    const run = runOf(
      [
        { lane: 'nats', kind: 'written', text: 'jobs/job' },
        ...watched,
        { lane: 'faults', kind: 'request-lost', text: id, fault: id },
      ],
      {
        faults: [
          { id: 'x', text: 'x', at: 0 },
          { id, text: 'request lost: rollout-1 get jobs/job', at: 50 },
        ],
      },
    );
    const lines = linesOf(formatTrace(run, { around: 0 }));
    expect(lines[0]).toBe('0 0.000 s nats ──> a ──> b and 2 more written jobs/job');
    expect(lines[5]).toBe('5 0.050 s faults request-lost request lost: rollout-1 get jobs/job [F2]');
  });

  it('leaves faults from before the first event that is shown to the list of faults', () => {
    const early = { lane: 'faults', kind: 'crash', text: 'early', fault: 'f0' };
    const run = runOf([early, { lane: 'a', kind: 'file', text: 'x' }, { lane: 'faults', kind: 'violation', text: 'y' }]);
    expect(indicesOf(formatTrace(run))).toEqual([1, 2]);
  });

  it('keeps its columns in line', () => {
    const rows = formatTrace(lost).split('\n').slice(-6, -1);
    const starts = rows.map((row, i) => row.indexOf(lost.events[i]!.kind, 30));
    expect(new Set(starts).size).toBe(1);
  });

  it('follows the causes of the violation back, past what has nothing to do with it', () => {
    const noise = Array.from({ length: 500 }, () => ({ lane: 'store', kind: 'insert', text: 'rows' }));
    const run = runOf([
      { lane: 'rollout-1', kind: 'publish', text: 'group 1' },
      { lane: 'reward-1', kind: 'deliver', text: 'group 1', from: 0 },
      { lane: 'reward-1', kind: 'publish', text: 'scores 1' },
      ...noise,
      { lane: 'parameter-server', kind: 'deliver', text: 'scores 1', from: 2 },
      { lane: 'parameter-server', kind: 'violation', text: 'group 1 was trained twice' },
      ...noise,
    ]);
    const text = formatTrace(run);
    expect(indicesOf(text)).toEqual([0, 1, 2, 503, 504]);
    expect(linesOf(text)[3]).toBe('… 500 more');
  });

  it('shows sixty events and every fault of a long run', () => {
    const run = syntheticRun(5000);
    const faults = run.events.filter(({ fault, lane }) => lane === 'faults' && fault !== undefined).map(({ index }) => index);
    expect(faults.length).toBeGreaterThan(1);
    const shown = indicesOf(formatTrace(run));
    expect(shown).toEqual(expect.arrayContaining([...faults.filter((index) => index > shown[0]!), 4999]));
    const others = (indices: number[]): number[] => indices.filter((index) => !faults.includes(index));
    expect(others(shown)).toHaveLength(60);
    expect(others(indicesOf(formatTrace(run, { last: 10 })))).toHaveLength(10);
  });

  it('shows everything around an event', () => {
    const run = syntheticRun(300);
    expect(indicesOf(formatTrace(run, { around: 100, last: 4 }))).toEqual([98, 99, 100, 101]);
    expect(indicesOf(formatTrace(run, { around: 0, last: 4 }))).toEqual([0, 1, 2, 3]);
  });

  it('ends at the last event where nothing broke, and stands a run without events', () => {
    const { events, ...rest } = syntheticRun(200);
    const passed: TraceOfRun = { ...rest, outcome: 'passed', events: events.slice(0, 199) };
    expect(indicesOf(formatTrace(passed)).at(-1)).toBe(198);
    expect(formatTrace({ ...passed, events: [] })).toContain('(0 of 0 events)');
  });

  it('stops at a link that does not lead back', () => {
    const run = runOf([
      { lane: 'a', kind: 'deliver', text: 'x', from: 1 },
      { lane: 'b', kind: 'violation', text: 'y', from: 0 },
    ]);
    expect(indicesOf(formatTrace(run))).toEqual([0, 1]);
  });
});
