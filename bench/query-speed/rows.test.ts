import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { QUERY_NAMES } from '../../src/store/queries.ts';
import { startWorker, type Worker } from '../load/worker.ts';
import type { FillOrder, FillResult } from './fill-main.ts';
import type { MeasuredQuery, MeasureOrder } from './measure-main.ts';

const STEPS = 60_000;
let folder: string;
let filled: FillResult;

async function during<Order, Result>(worker: Worker<Order, Result>, order: Order): Promise<Result> {
  try {
    return await worker.order(order);
  } finally {
    await worker.stop();
  }
}
const fill = (): Promise<FillResult> =>
  during(startWorker<FillOrder, FillResult>({ name: 'fill', entry: new URL('./fill-main.ts', import.meta.url) }), {
    folder,
    steps: STEPS,
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'));
  filled = await fill();
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('makes about as many steps as asked for, and none again when they are there', async () => {
  expect(filled.steps / STEPS).toBeCloseTo(1, 1);
  expect(filled.seconds).toBeGreaterThan(0);
  expect(await fill()).toMatchObject({ steps: filled.steps, trajectories: filled.trajectories, seconds: 0 });
}, 120_000);

it('makes rows that every named query has an answer from', async () => {
  const worker = startWorker<MeasureOrder, MeasuredQuery[]>({
    name: 'queries',
    entry: new URL('./measure-main.ts', import.meta.url),
  });
  const measured = await during(worker, { folder, queries: [], repeat: 1 });
  expect(measured.map(({ query }) => query)).toEqual([...QUERY_NAMES]);
  expect(measured.filter(({ rows, error }) => rows === 0 || error !== undefined)).toEqual([]);
  expect(measured.filter(({ rowsRead, seconds }) => rowsRead === 0 || seconds.length !== 1)).toEqual([]);
}, 120_000);
