import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../clock/system.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { Tool } from './define.ts';
import { execute, type Execution } from './executor.ts';

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Calls a tool that has 60 ms. */
async function call(run: Tool<null>['run']): Promise<Execution> {
  const tool: Tool<null> = { description: 'A tool.', input: z.object({}), arguments: () => ({}), run, timeoutMs: 60 };
  return execute({ tools: { tool } }, { tool: 'tool', items: [] }, null, { clock: systemClock });
}

const timedOut = { failure: FailureClass.TOOL_TIMEOUT, message: "tool 'tool' did not answer within 60 ms" };

describe("a tool's time limit", () => {
  it.each([
    ['synchronously', () => block(200)],
    ['asynchronously', async () => systemClock.sleep(5).then(() => block(200))],
  ])('counts what the tool itself does %s', async (_, run) => {
    await expect(call(run)).rejects.toMatchObject(timedOut);
  });

  it('does not count what others do', async () => {
    const calls = Promise.all(Array.from({ length: 10 }, (_, i) => call(() => systemClock.sleep(30 + i).then(() => i))));
    for (let i = 0; i < 3; i++) {
      block(150);
      await systemClock.sleep(0);
    }
    expect((await calls).map(({ result }) => result)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('ends a tool that hangs while others hold the loop, and aborts its signal', async () => {
    let heard: AbortSignal | undefined;
    const hanging = call((_, __, signal) => {
      heard = signal;
      return new Promise(() => undefined);
    });
    block(200);
    await expect(hanging).rejects.toMatchObject(timedOut);
    expect(heard?.aborted).toBe(true);
  });

  it('is known of a tool that is asynchronous at times only', async () => {
    let calls = 0;
    const tool: Tool<null> = {
      ...{ description: 'A tool.', input: z.object({}), arguments: () => ({}), timeoutMs: 60 },
      run: () => ((calls += 1) < 3 ? calls : systemClock.sleep(5).then(() => block(200))),
    };
    const once = (): Promise<Execution> =>
      Promise.resolve(execute({ tools: { tool } }, { tool: 'tool', items: [] }, null, { clock: systemClock }));
    expect([await once(), await once()]).toMatchObject([{ result: 1 }, { result: 2 }]);
    // The first call that waits was not known to: it has the benefit of the doubt. From then on it is.
    await once();
    await expect(once()).rejects.toMatchObject(timedOut);
  });

  it('makes a call that hangs data where the tool says so, and tells of it either way', async () => {
    const told: string[] = [];
    const hang = (onTimeout?: 'error' | 'fail'): Promise<Execution> => {
      const tool: Tool<null> = {
        ...{ description: 'A tool.', input: z.object({}), arguments: () => ({}), timeoutMs: 20 },
        run: () => new Promise(() => undefined),
        ...(onTimeout && { onTimeout }),
      };
      const options = { clock: systemClock, onTimeout: (name: string) => void told.push(name) };
      return Promise.resolve(execute({ tools: { tool } }, { tool: 'tool', items: [] }, null, options));
    };
    expect(await hang('error')).toEqual({ input: {}, error: "tool 'tool' did not answer within 20 ms" });
    await expect(hang('fail')).rejects.toMatchObject({ failure: FailureClass.TOOL_TIMEOUT });
    await expect(hang()).rejects.toMatchObject({ failure: FailureClass.TOOL_TIMEOUT });
    expect(told).toEqual(['tool', 'tool', 'tool']);
  });
});
