import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkRewardModule, CustomReward } from './custom-reward.ts';
import type { RewardCall } from './protocol.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-reward-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FLOW = fileURLToPath(new URL('../../../docs/first-flow/flow.ts', import.meta.url));
const TASK = { id: 'house', target: 20, rooms: [{ degrees: 20, windowOpen: false }] };

let files = 0;
function moduleOf(text: string): string {
  const file = join(folder, `reward-${files++}.ts`);
  writeFileSync(file, text);
  return file;
}

let open: CustomReward | undefined;
afterEach(() => open?.close());

/** A reward whose `answer` says what it does. */
function rewardOf(body: string, timeoutMs = 1000): CustomReward {
  const module = moduleOf(`const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
export default ${body};\n`);
  open = new CustomReward({ module, timeoutMs, source: { flow: FLOW, data: undefined, options: {}, seed: 1 }, pingMs: 300 });
  return open;
}

const call = (answer: unknown, outcome = 0): RewardCall => ({
  taskJson: JSON.stringify(TASK),
  answerJson: JSON.stringify(answer),
  steps: [{ tool: 'heat', items: [0], arguments: '{}', result: '1', error: false, verified: true }],
  outcome,
});

/** Waits, blocks for ever, throws, or is its own answer. */
const BY_ANSWER = `async ({ answer }: { answer: any }) => {
  if (answer === 'blocks') for (;;);
  if (answer === 'blocks later') { await sleep(10); for (;;); }
  if (answer === 'hangs') await new Promise(() => {});
  if (answer === 'throws') throw new RangeError('no such thing');
  if (answer === 'leaves') process.exit(3);
  if (answer === 'crashes') { setTimeout(() => { throw new Error('from a timer'); }); await sleep(100_000); }
  return typeof answer === 'number' ? sleep(20).then(() => answer) : answer;
}`;

const problem = (message: RegExp): unknown => ({ problem: expect.stringMatching(message) as string });

describe('a custom reward', () => {
  it('is given task, answer, context, steps and outcome, and may be asynchronous', async () => {
    const reward = rewardOf(
      `async ({ task, answer, context, steps, outcome }: any) =>
        task.target + answer.length + (context === undefined ? 100 : 0) + steps[0].items.length + outcome`,
    );
    expect(await reward.call(call([1, 2], 0.5))).toEqual({ value: 20 + 2 + 100 + 1 + 0.5 });
  });

  it('may ask to be called later, also with a RetryLater of its own copy', async () => {
    const reward = rewardOf(`({ answer }: any) => {
  if (answer === 1) return 1;
  throw Object.assign(new Error('x'), { name: 'RetryLater', reason: 'judge: HTTP 429', afterMs: answer });
}`);
    expect(await reward.call(call(2_000))).toEqual({ later: { reason: 'judge: HTTP 429', afterMs: 2_000 } });
    expect(await reward.call(call('soon'))).toEqual({ later: { reason: 'judge: HTTP 429', afterMs: 0 } });
    expect(await reward.call(call(1))).toEqual({ value: 1 });
  });

  it('has no value when it throws, hangs or returns no finite number', async () => {
    const reward = rewardOf(BY_ANSWER);
    const failing: [unknown, RegExp][] = [
      ['throws', /^RangeError: no such thing \(reward-\d+\.ts:\d+\)/],
      ['hangs', /^did not answer within 1000 ms/],
      ['text', /^must return a finite number, got string/],
      [null, /^must return a finite number, got null/],
      [1e300, /^must return a finite number, got 1e\+300/],
    ];
    for (const [answer, message] of failing) {
      expect(await reward.call(call(answer))).toEqual(problem(message));
      expect(await reward.call(call(7))).toEqual({ value: 7 });
    }
  });

  it.each([
    ['blocks', /^did not answer within 1000 ms/],
    ['leaves', /^ended its thread with code 3/],
    ['crashes', /^ended its thread: from a timer/],
  ])('%s: has no value, and the next call has one', async (answer, message) => {
    const reward = rewardOf(BY_ANSWER);
    expect(await reward.call(call(answer))).toEqual(problem(message));
    expect(await reward.call(call(7))).toEqual({ value: 7 });
  });

  it('blocks nobody but itself, wherever it blocks', async () => {
    const reward = rewardOf(BY_ANSWER);
    const answers = [1, 'blocks later', 2, 'blocks', 3, 'hangs', ...Array.from({ length: 12 }, (_, i) => 10 + i)];
    const values = await Promise.all(answers.map((answer) => reward.call(call(answer))));
    const expected = answers.map((answer): unknown =>
      typeof answer === 'number' ? { value: answer } : problem(/^did not answer within 1000 ms/),
    );
    expect(values).toEqual(expected);
  }, 60_000);

  it('leaves nobody waiting when it is closed', async () => {
    const reward = rewardOf(BY_ANSWER, 60_000);
    const calls = ['hangs', 'blocks', 1].map((answer) => reward.call(call(answer)));
    const ends = Promise.allSettled(calls);
    await reward.close();
    for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
  });

  it('tells every call when its module cannot be used', async () => {
    const module = moduleOf('throw new Error("not today");\n');
    open = new CustomReward({ module, timeoutMs: 1000, source: { flow: FLOW, data: undefined, options: {}, seed: 1 } });
    const both = [open.call(call(1)), open.call(call(2))];
    expect(await Promise.all(both)).toEqual([problem(/cannot be imported: Error: not today/), problem(/cannot be imported/)]);
  });
});

describe('checkRewardModule', () => {
  it('accepts a function, also one that imports millrace', async () => {
    await expect(
      checkRewardModule(
        moduleOf(
          "import { z, type RewardFunction } from 'millrace';\nconst reward: RewardFunction = ({ answer }) => z.number().parse(answer);\nexport default reward;\n",
        ),
      ),
    ).resolves.toBeUndefined();
  });

  it.each([
    ['exports nothing', 'export const reward = 1;\n', /has no default export; write `export default function reward/],
    ['exports no function', 'export default 1;\n', /the default export is no function; write/],
    ['throws', 'throw new Error("not today");\n', /cannot be imported: Error: not today/],
    ['is no TypeScript', 'export default {\n', /cannot be imported/],
    ['ends its thread', 'process.exit(0);\n', /ended its thread with code 0 while it was imported/],
  ])('refuses a module that %s', async (_, text, message) => {
    await expect(checkRewardModule(moduleOf(text))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuses a path without a file, and a module that never ends loading', async () => {
    await expect(checkRewardModule(join(folder, 'none.ts'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(checkRewardModule(moduleOf('for (;;);\n'), { startMs: 1500 })).rejects.toThrow(/did not load within 1500 ms/);
  });
});
