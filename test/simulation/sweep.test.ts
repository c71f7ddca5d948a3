import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { processesOf } from '../support/command.ts';
import { replayCommand } from './commit.ts';
import { Farm, type SeedOrder, type SeedResult } from './farm.ts';
import { summaryJson, summaryLines } from './summary.ts';
import { sweep, type SweepOptions } from './sweep.ts';
import { Tally } from './tally.ts';

const commit = { id: 'abc123', hasLocalChanges: false };

function resultOf(seed: number, more: Partial<SeedResult> = {}): SeedResult {
  const struck = ['crash@learner-1#0', 'slow@nats x#3', 'clock-drift@store'];
  const usual = {
    job: 'small',
    hash: `hash-${seed}`,
    events: 10,
    seconds: 5,
    faults: { crash: 1, slow: 2 },
    seen: ['group-failed'],
    struck,
  };
  return { seed, outcome: 'passed', ...usual, ...more };
}

/** A sweep over a pretended simulation. */
async function swept(run: (order: SeedOrder) => SeedResult, more: Partial<SweepOptions> = {}) {
  const orders: SeedOrder[] = [];
  const lines: string[] = [];
  const texts: string[] = [];
  const result = await sweep({
    ...{ first: 1, seeds: 10, workers: 3, commit, signal: new AbortController().signal },
    farm: {
      run: (order) => {
        orders.push(order);
        return Promise.resolve(run(order));
      },
    },
    onProgress: () => {},
    onFailed: (line) => lines.push(line),
    onExplained: ({ text }) => texts.push(text),
    ...more,
  });
  return { ...result, orders, lines, texts };
}

describe('a sweep', () => {
  it('runs each seed once, and one in fifty twice', async () => {
    const { orders, tally } = await swept(({ seed }) => resultOf(seed), { first: 41, seeds: 70 });
    const seeds = Array.from({ length: 70 }, (_, i) => 41 + i);
    expect(orders.map(({ seed }) => seed).sort((a, b) => a - b)).toEqual([...seeds, 50, 100].sort((a, b) => a - b));
    expect([tally.seeds, tally.passed, tally.problems([])]).toEqual([70, 70, []]);
  });

  it('fails a seed whose second run differs', async () => {
    let runs = 0;
    const { tally } = await swept(({ seed }) => resultOf(seed, { hash: `${(runs += 1)}` }), {
      ...{ first: 50, seeds: 1, workers: 1 },
      signal: AbortSignal.timeout(50),
    });
    expect(tally.failed).toMatchObject([{ seed: 50, invariant: 'deterministic' }]);
  });

  it('shrinks one failure of each sort, and says how to see it again', async () => {
    const broken = ({ seed, only }: SeedOrder): SeedResult => {
      if (only !== undefined && !only.includes('slow@nats x#3')) return resultOf(seed, { struck: [...only] });
      const failed = { outcome: 'failed', invariant: 'ledger-adds-up', reason: `off by ${seed}` } as const;
      return resultOf(seed, { ...failed, ...(only !== undefined && { struck: [...only] }) });
    };
    const { tally, reports, lines, texts } = await swept(broken, { seeds: 3 });
    expect(lines).toHaveLength(3);
    expect(tally.problems([])).toEqual(['3 of 3 seeds failed']);
    expect(reports).toHaveLength(1);
    const [{ seed, shrunk }] = reports as [(typeof reports)[0]];
    expect(shrunk).toMatchObject({ faults: ['slow@nats x#3'], minimal: true });
    expect(texts[0]).toContain(`git checkout abc123 && npm run simulate -- --seed ${seed}`);
    expect(texts[0]).toContain('shrunk from   3 faults to 1');
    const [, file] = /--only-faults (\S+)/.exec(shrunk!.command) ?? [];
    expect(JSON.parse(await readFile(file!, 'utf8'))).toEqual(['slow@nats x#3']);
  });

  it('ends at once when it is interrupted, with what there is', async () => {
    const interrupted = new AbortController();
    const { tally } = await swept(({ seed }) => resultOf(seed), {
      ...{ seeds: Infinity, signal: interrupted.signal },
      onProgress: ({ seeds }) => seeds >= 20 && interrupted.abort(),
    });
    expect(tally.seeds).toBeGreaterThanOrEqual(20);
    expect(tally.seeds).toBeLessThan(30);
  });

  it('begins no seed when the time is over', async () => {
    const { tally } = await swept(({ seed }) => resultOf(seed), { seeds: Infinity, minutes: 0.0005 });
    expect(tally.seeds).toBeGreaterThan(0);
  });
});

describe('a tally', () => {
  const tallyOf = (results: readonly SeedResult[]): Tally => {
    const tally = new Tally();
    for (const result of results) tally.add(result);
    return tally;
  };
  const seeds = (count: number, more: (seed: number) => Partial<SeedResult> = () => ({})): SeedResult[] =>
    Array.from({ length: count }, (_, i) => resultOf(i + 1, more(i + 1)));

  it('has one hash for the same runs in any order, another for others', () => {
    const runs = seeds(20);
    expect(tallyOf([...runs].reverse()).hash).toBe(tallyOf(runs).hash);
    expect(tallyOf(runs.slice(1)).hash).not.toBe(tallyOf(runs).hash);
    expect(tallyOf([resultOf(1, { hash: 'x' }), resultOf(2)]).hash).not.toBe(
      tallyOf([resultOf(1), resultOf(2, { hash: 'x' })]).hash,
    );
  });

  it('takes more than one inconclusive run in a hundred for a failure', () => {
    const inconclusive = (share: number) => (seed: number) => (seed <= share ? ({ outcome: 'inconclusive' } as const) : {});
    expect(tallyOf(seeds(200, inconclusive(2))).problems([])).toEqual([]);
    expect(tallyOf(seeds(200, inconclusive(3))).problems([])).toEqual(['3 of 200 seeds are inconclusive, more than 1 %']);
  });

  it('misses a state only after two thousand seeds', () => {
    const states = ['group-failed', 'dead-letter'];
    expect(tallyOf(seeds(1_999)).problems(states)).toEqual([]);
    expect(tallyOf(seeds(1_999)).neverSeen(states)).toEqual(['dead-letter']);
    expect(tallyOf(seeds(2_000)).problems(states)).toEqual(['2000 seeds never reached dead-letter']);
  });

  it('is told to people and to programs', () => {
    const tally = tallyOf([...seeds(5), resultOf(6, { outcome: 'failed', invariant: 'ledger-adds-up', reason: 'off by 1' })]);
    const about = {
      first: 1,
      workers: 2,
      commit,
      states: { 'group-failed': 'a group failed', 'dead-letter': 'a message was given up' },
    };
    const text = summaryLines({ tally, reports: [], tookSeconds: 3 }, about).join('\n');
    expect(text).toContain('6 seeds from 1 at commit abc123, in 3 s');
    expect(text).toContain('2.0 seeds/s, 1.0 per core on 2 workers');
    expect(text).toMatch(/Broken\n {2}ledger-adds-up {2}1\n/);
    expect(text).toMatch(/slow {3}12 {2}in 6 seeds/);
    expect(text).toMatch(/Never seen\n {2}dead-letter {2}a message was given up\n/);
    expect(summaryJson({ tally, reports: [], tookSeconds: 3 }, about)).toMatchObject({
      ...{ commit: 'abc123', seeds: 6, passed: 5, hash: tally.hash, neverSeen: ['dead-letter'] },
      hashes: { 1: 'hash-1', 6: 'hash-6' },
      faults: { slow: { struck: 12, seeds: 6 } },
    });
  });
});

describe('a replay command', () => {
  it('names the commit where there is one', () => {
    expect(replayCommand(commit, 7)).toBe('git checkout abc123 && npm run simulate -- --seed 7');
    expect(replayCommand({ ...commit, id: 'unknown' }, 7, '/f.json')).toBe('npm run simulate -- --seed 7 --only-faults /f.json');
  });
});

describe('a farm', () => {
  /** A worker that answers seed 1, dies of seed 2 and never ends seed 3. */
  const WORKER = `
    process.on('message', ({ order: { seed } }) => {
      if (seed === 2) process.exit(3);
      if (seed === 1) process.send({ kind: 'result', result: { seed, outcome: 'passed' } });
    });
    process.on('disconnect', () => process.exit(0));`;

  it('fails seeds that end or stop a worker, and goes on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-test-'));
    const file = join(folder, 'worker.mjs');
    await writeFile(file, WORKER);
    const farm = new Farm(1, { longestMs: 5_000, entry: pathToFileURL(file) });
    try {
      const results = await Promise.all([2, 1, 3, 1].map((seed) => farm.run({ seed })));
      expect(results.map(({ outcome, invariant }) => [outcome, invariant])).toEqual([
        ['failed', 'process-survives'],
        ['passed', undefined],
        ['failed', 'ends'],
        ['passed', undefined],
      ]);
      expect(results[0]!.reason).toContain('ended with 3');
      const running = farm.run({ seed: 3 });
      await farm.close();
      expect(await running).toMatchObject({ outcome: 'failed' });
      // A worker in place of the one that was ended would keep the command alive.
      expect(await processesOf(folder)).toEqual([]);
    } finally {
      await farm.close();
      await rm(folder, { recursive: true });
    }
  });
});
