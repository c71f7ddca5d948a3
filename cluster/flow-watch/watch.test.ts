import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Activity } from '../../src/clock/activity.ts';
import { systemClock } from '../../src/clock/system.ts';
import type { NoticeReport } from '../../src/jobs/notice.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { blackBoxFile, readBlackBox } from './black-box.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import { watchFlows, type FlowWatch } from './watch.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LABEL = { job: 'levers-1', flow: 'levers', task: 'task-7', part: "tool 'left'" };

let folder: string;
let reported: (NoticeReport & { job: string })[];
let watch: FlowWatch | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flow-watch-'));
  mkdirSync(join(folder, 'logs'));
  reported = [];
});
afterEach(() => {
  watch?.close();
  rmSync(folder, { recursive: true, force: true });
});

function start(previous?: NodeEnd): FlowWatch {
  const notices = {
    report: (job: string, notice: NoticeReport) => Promise.resolve(void reported.push({ job, ...notice })),
    resolve: () => Promise.resolve(),
    resolveAll: () => Promise.resolve(),
  };
  const runtimes = {
    running: (stack: string) => (stack.includes('/flows/') ? ['levers-1'] : []),
    get: () => Promise.reject(new Error('unused')),
    bundle: () => Promise.reject(new Error('unused')),
    forget: () => undefined,
  };
  return (watch = watchFlows({ id: 'rollout-1', clock: systemClock, notices, runtimes, log: silentLogger() }, folder, previous));
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('code of a flow', () => {
  it('that holds the event loop is named, wherever it does', async () => {
    start();
    new Activity(systemClock, LABEL).run(() => block(20), false);
    expect(reported).toEqual([]);
    new Activity(systemClock, LABEL).run(() => block(1050), false);
    const later = new Activity(systemClock, { ...LABEL, part: "tool 'right'" });
    await later.run(async () => {
      await new Promise((done) => setTimeout(done, 5));
      block(1050);
    }, true);
    // What a continuation held is counted when it ends.
    await new Promise((done) => setImmediate(done));
    expect(reported).toMatchObject([
      { job: 'levers-1', code: 'EVENT_LOOP_HELD', subject: "tool 'left'" },
      { job: 'levers-1', code: 'EVENT_LOOP_HELD', subject: "tool 'right'" },
    ]);
    expect(reported[0]!.message).toMatch(
      /^tool 'left' of flow 'levers' on task 'task-7' held the event loop of rollout-1 for 1\.\d s/,
    );
  });

  it('cannot end the process with process.exit: it throws, and is named', async () => {
    const exit: unknown = Reflect.get(process, 'exit');
    start();
    expect(() => new Activity(systemClock, LABEL).run(() => process.exit(3), false)).toThrow(
      /called process\.exit\(3\); throw an error instead/,
    );
    const later = new Activity(systemClock, LABEL).run(
      () => new Promise((done) => setTimeout(done, 5)).then(() => process.exit()),
      true,
    );
    await expect(later).rejects.toThrow(/called process\.exit\(\)/);
    expect(reported).toHaveLength(2);
    expect(reported[0]).toMatchObject({ job: 'levers-1', code: 'PROCESS_EXIT_CALLED', subject: "tool 'left'" });
    watch!.close();
    expect(Reflect.get(process, 'exit')).toBe(exit);
  });

  it('that throws where nobody catches is named, by what ran or by the stack', async () => {
    const started = start();
    const uncaught = (thrown: unknown): Promise<void> => started.uncaught(thrown);
    await new Activity(systemClock, LABEL).run(() => uncaught(new RangeError('too far')), false);
    const error = new Error('from a timer');
    error.stack = 'Error: from a timer\n    at Timeout._onTimeout (/home/me/flows/levers.ts:12:9)';
    await uncaught(error);
    await uncaught(new Error('of millrace itself'));
    expect(reported).toMatchObject([
      { job: 'levers-1', code: 'UNCAUGHT_ERROR', subject: "tool 'left' on task 'task-7'" },
      {
        job: 'levers-1',
        code: 'UNCAUGHT_ERROR',
        message: expect.stringMatching(/Error: from a timer \(levers\.ts:12\)$/) as string,
      },
    ]);
    expect(reported[0]!.message).toMatch(/threw an error that nobody caught, which ended rollout-1: RangeError: too far/);
  });
});

describe('a node that has died', () => {
  /** Runs code of a flow in a process of its own, which ends as the code says. */
  function run(code: string): ReturnType<typeof readBlackBox> {
    const file = join(folder, 'script.mts');
    writeFileSync(
      file,
      `import { Activity, observeActivities } from '${root}src/clock/activity.ts';
       import { systemClock } from '${root}src/clock/system.ts';
       import { BlackBox, blackBoxFile } from '${root}cluster/flow-watch/black-box.ts';
       const box = new BlackBox(blackBoxFile(${JSON.stringify(folder)}, 'rollout-1'), systemClock);
       observeActivities({ began: (label) => box.began(label), ended: () => box.ended(), held: () => {} });
       const activity = (part: string): Activity => new Activity(systemClock, { ...${JSON.stringify(LABEL)}, part });
       activity('plan').run(() => {}, false);
       ${code}`,
    );
    try {
      execFileSync(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/esm/index.mjs'), file], {
        timeout: 30_000,
        stdio: 'ignore',
        env: { ...process.env, NODE_OPTIONS: '' },
      });
    } catch {
      // It was killed.
    }
    return readBlackBox(blackBoxFile(folder, 'rollout-1'));
  }

  it('has left behind what it ran at that moment, or ran last', () => {
    const kill = "process.kill(process.pid, 'SIGKILL');";
    expect(run(`activity("tool 'left'").run(() => { ${kill} }, false);`)).toMatchObject({ ...LABEL, running: true });
    const later = `await activity("tool 'left'").run(async () => { await new Promise((done) => setTimeout(done, 5)); ${kill} }, true);`;
    expect(run(later)).toMatchObject({ ...LABEL, running: true });
    expect(run(kill)).toMatchObject({ ...LABEL, part: 'plan', running: false });
  });

  it('is blamed on the code that ran, in the next process', () => {
    const last = { ...LABEL, running: true, at: 1 };
    start({ how: 'SIGKILL', outOfMemory: false, last });
    expect(reported).toMatchObject([{ job: 'levers-1', code: 'WORKER_ENDED', subject: "tool 'left' on task 'task-7'" }]);
    expect(reported[0]!.message).toMatch(
      /^node rollout-1 ended \(SIGKILL\) while it ran tool 'left' of flow 'levers' on task 'task-7'/,
    );
  });

  it('is blamed on what ran last where it had no memory left, and on nobody without any sign', () => {
    const last = { ...LABEL, running: false, at: 1 };
    start({ how: 'SIGABRT', outOfMemory: true, rssBytes: 2 ** 31, last });
    expect(reported[0]!.message).toMatch(
      /^node rollout-1 ended for want of memory \(it had 2048 MiB\) \(SIGABRT\); the last that it ran was tool/,
    );
    watch!.close();
    reported = [];
    start({ how: 'SIGKILL', outOfMemory: false, last });
    watch!.close();
    start({ how: 'SIGKILL', outOfMemory: false });
    expect(reported).toEqual([]);
  });
});
