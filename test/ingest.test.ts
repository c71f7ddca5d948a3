import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { IngestReport } from '../bench/ingest/scenario.ts';
import { benchProgram } from '../bench/main.ts';

let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** Bounds that any machine keeps. */
const KEPT = ['stepsPerSecond>=1', 'ratioToRawInsert>0', 'p99PublishToQueryableMs<=120000', 'writerRssGrowth<=10'];

it('ingest measures what it publishes until it is stored', async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-ingest-'));
  const json = join(folder, 'out.json');
  const printed: string[] = [];
  let code: number | undefined;
  const context = { print: (line: string) => void printed.push(line), note: () => {}, signal: new AbortController().signal };
  const gates = [...KEPT, 'rawJetStreamBytesPerSecond<0'].flatMap((gate) => ['--gate', gate]);
  await benchProgram(context, (finished) => (code = finished)).parseAsync(
    ['ingest', '--turns', '1', '--steps', '20000', '--half-seconds', '2', '--json', json, ...gates],
    { from: 'user' },
  );
  const report = JSON.parse(await readFile(json, 'utf8')) as IngestReport;
  expect(code).toBe(1);
  expect(report.gates.filter(({ kept }) => !kept)).toMatchObject([{ figure: 'rawJetStreamBytesPerSecond' }]);
  expect(report).toMatchObject({ lost: 0, duplicated: 0 });
  expect(report.verdict.acceptedSteps).toBeGreaterThanOrEqual(20_000);
  expect(report.rawInsertStepsPerSecond).toBeGreaterThan(0);
  expect(report.turns.path).toHaveLength(1);
  expect(report.ratioToRawInsert).toBeCloseTo(report.stepsPerSecond / report.rawInsertStepsPerSecond, 6);
  expect(report.latency.samples).toBeGreaterThan(0);
  expect(report.processes.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['nats-server', 'store', 'generator-1', 'generator-2']),
  );
  expect(printed.join('\n')).toMatch(/rawJetStreamBytesPerSecond .* FAIL/);
});
