import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SerialOptions } from '../cluster/serial/index.ts';
import { initCompute } from '../src/compute/backend.ts';
import type { JobConfig } from '../src/config/job.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { VirtualClock } from '../src/clock/virtual.ts';
import { RetryLater } from '../src/flow/retry-later.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import type { Service } from './flows/outage.ts';
import { faultyJob } from './support/faulty.ts';
import { seededRandom } from '../src/random/seeded.ts';
import { recordedRun, type RecordedRun } from './support/recorded-run.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

const world = globalThis as { millraceTestTexts?: number; millraceTestService?: Service | undefined };

/** Where virtual time begins. */
const ORIGIN = new VirtualClock().now();

const flowJob = (name: string, overrides: readonly string[] = []): JobConfig =>
  loadJobConfig(fileURLToPath(new URL(`./flows/${name}.yaml`, import.meta.url)), { overrides: [...overrides] }).config;

// It measures the machine's speed for some time, once in a process.
beforeAll(() => initCompute());
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** What a machine gives a process besides its input: time, random numbers, ids, memory. */
interface Machine {
  /** Unix milliseconds at the start. */
  date: number;
  /** Milliseconds that pass between two looks at a clock. */
  stepMs: number;
  /** Distance between two random numbers. */
  stride: number;
  pid: number;
}

const FAST: Machine = { date: 1_500_000_000_000, stepMs: 0.001, stride: 0.381_966, pid: 11 };
/** So slow that whatever is cut into slices by the time it takes is cut everywhere. */
const SLOW: Machine = { date: 1_900_000_000_000, stepMs: 40, stride: 0.732_051, pid: 22 };

/** Makes this process believe that it runs on another machine, until the end of the test. */
function pretend({ date, stepMs, stride, pid }: Machine): void {
  let [elapsed, drawn] = [0, 0];
  const draw = (): number => (drawn += stride) % 1;
  const id = (): string =>
    Math.floor(draw() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
  vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(date + (elapsed += stepMs)));
  vi.spyOn(performance, 'now').mockImplementation(() => (elapsed += stepMs));
  vi.spyOn(Math, 'random').mockImplementation(draw);
  vi.spyOn(crypto, 'randomUUID').mockImplementation(() => `${id().slice(4)}-0000-4000-8000-${id()}`);
  vi.spyOn(crypto, 'randomBytes').mockImplementation(((size: number) => Buffer.alloc(size, Math.floor(draw() * 256))) as never);
  vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => Math.floor(draw() * 2 ** 30));
  vi.spyOn(process, 'pid', 'get').mockReturnValue(pid);
  syncBuiltinESMExports();
}

/** The same job on both machines. */
async function onBoth(config: JobConfig, options: () => Omit<SerialOptions, 'stateDir'> = () => ({})): Promise<RecordedRun[]> {
  const runs: RecordedRun[] = [];
  // Records of jobs name their checkpoints: both runs have the same folder, one after the other.
  const folder = await temporaryFolder();
  for (const machine of [FAST, SLOW]) {
    world.millraceTestTexts = 0;
    pretend(machine);
    runs.push(await recordedRun(config, { ...options(), stateDir: folder.path }));
    vi.restoreAllMocks();
    syncBuiltinESMExports();
    await folder.remove();
  }
  return runs;
}

function expectSame([first, second]: RecordedRun[]): void {
  expect([first!.result.job.state, first!.result.job.error]).toEqual([JobState.SUCCEEDED, '']);
  const at = first!.sent.findIndex((line, i) => line !== second!.sent[i]);
  expect(second!.sent[at], `message ${at}`).toEqual(first!.sent[at]);
  expect(second!.sent.length).toBe(first!.sent.length);
  expect(second!.rows).toEqual(first!.rows);
  expect(second!.result.seconds).toBe(first!.result.seconds);
  expect(Buffer.from(first!.result.weights.buffer).equals(Buffer.from(second!.result.weights.buffer))).toBe(true);
}

describe('what the nodes of a serial run say, and its rows, are the same on every machine', () => {
  it('in a training with several workers, evaluations and an interruption', async () => {
    const config = thermostatJob(['rounds=6', 'evaluation.every=3', 'rollout.groupsPerRound=4', 'rollout.groupSize=8']);
    const runs = await onBoth(config, () => ({ learners: 2, rollouts: 2, interruptAfterRound: 3 }));
    expectSame(runs);
    expect(runs[0]!.sent.length).toBeGreaterThan(100);
    expect(runs[0]!.rows['trajectories']!.length).toBeGreaterThan(0);
  });

  it('where tools and rewards ask to be called later, and where they fail', async () => {
    const away = (): Service => {
      let calls = 0;
      return ({ at }) => {
        calls += 1;
        if (at === 'tool' && calls > 40 && calls <= 60) throw new RetryLater({ afterMs: 3_000, reason: 'HTTP 429' });
        if (at === 'reward' && calls > 200 && calls <= 210) {
          // The time of the flow: a date in a response means the same wait in every run.
          const headers = new Headers({ 'retry-after': new Date(ORIGIN + 900_000).toUTCString() });
          throw RetryLater.fromResponse({ status: 503, headers })!;
        }
      };
    };
    const runs = await onBoth(flowJob('outage'), () => {
      world.millraceTestService = away();
      return { rollouts: 2 };
    });
    world.millraceTestService = undefined;
    expectSame(runs);
    expect(runs[0]!.sent.some((line) => line.includes('HTTP 503'))).toBe(true);
    expectSame(await onBoth(faultyJob(['fine', 'tool-error', 'slow-tool', 'broken-tool', 'broken-reward'])));
  });

  it('with tasks from a file', async () => {
    const folder = await temporaryFolder();
    const data = join(folder.path, 'tasks.json');
    const random = seededRandom(1);
    const words = (): string => Array.from({ length: 6 }, () => `word${random.integer(1000)}`).join(' ');
    const problem = (_: unknown, i: number): object => ({
      ...{ id: `problem-${i}`, numbers: [i + 2, 3], answer: i + 5 },
      question: `number0 ${words()} number1 ${words()}`,
    });
    await writeFile(data, JSON.stringify(Array.from({ length: 60 }, problem)));
    const small = ['policy={encoder: gru, embed: 4, width: 4, hidden: 4, buckets: 64, maxLength: 32}', 'rounds=2'];
    const quick = ['rollout={groupSize: 4, groupsPerRound: 4}', 'evaluation={every: 1, baselines: false}'];
    const job = fileURLToPath(new URL('../examples/word-problems/job.yaml', import.meta.url));
    const { config } = loadJobConfig(job, {
      flags: { data },
      overrides: [...small, ...quick],
    });
    expectSame(await onBoth(config));
    await folder.remove();
  });

  it('with groups in parts', async () => {
    const runs = await onBoth(flowJob('bulky', ['rounds=1']));
    expectSame(runs);
    expect(runs[0]!.sent.some((line) => line.includes(' publish part.'))).toBe(true);
  });
});
