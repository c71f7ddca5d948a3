import { afterEach, expect, it, vi } from 'vitest';
import type { EchoOrder } from './fixtures/echo-main.ts';
import { startWorker, type Worker } from './worker.ts';

// Processes are started.
vi.setConfig({ testTimeout: 120_000 });

const events: number[] = [];
let worker: Worker<EchoOrder, string>;
const start = (): void => {
  events.length = 0;
  const entry = new URL('./fixtures/echo-main.ts', import.meta.url);
  worker = startWorker<EchoOrder, string, number>({ name: 'echo', entry, onEvent: (event) => events.push(event) });
};
afterEach(() => worker.stop());

it('takes orders one after the other, tells events before the result, and passes errors on', async () => {
  start();
  expect(await worker.order({ say: 'a', events: 2 })).toBe('a');
  expect(events).toEqual([0, 1]);
  await expect(worker.order({ fail: 'no such thing' })).rejects.toMatchObject({
    code: 'not_found',
    message: 'echo: no such thing',
  });
  const slow = worker.order({ say: 'b', events: 0 });
  await expect(worker.order({ say: 'c', events: 0 })).rejects.toThrow(/at work already/);
  expect(await slow).toBe('b');
});

it('rejects what a worker that dies was at, with what it said last', async () => {
  start();
  await expect(worker.order({ die: 'out of luck' })).rejects.toThrow(/echo ended with 3 before it was done: out of luck/);
  await worker.exited;
});

it('rejects what a killed worker was at', async () => {
  start();
  const waiting = worker.order({ wait: true });
  worker.kill();
  await expect(waiting).rejects.toThrow(/SIGKILL/);
});
