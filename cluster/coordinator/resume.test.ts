import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MillraceError } from '../../src/errors.ts';
import { WeightManifestSchema, type WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end } from '../../src/jobs/ledger.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import { parameterCount } from '../../src/policy/policy.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { createJobRuntimes, loadJobRuntime, type JobRuntimes } from '../jobs/runtime.ts';
import { checkResumable } from './resume.ts';

const config = thermostatJob();
const failed: JobRecord = {
  ...transition(createJobRecord({ id: 'a', config, now: 0 }), 'FAILED', { now: 1, error: 'all groups failed' }),
  accepted: 3,
  unsettled: [],
  checkpoint: '/checkpoints/a/v000010',
};
const ledger = [0, 1, 2].reduce((before, sequence) => end(before, sequence, { failed: 'TOOL_CRASH' }), emptyLedger());
const manifest = create(WeightManifestSchema, { job: 'a', version: 10, ledger });

function runtimesOn(clock: VirtualClock): JobRuntimes {
  return createJobRuntimes({ clock, outside: (work) => clock.hold(work) });
}

/** What the job has, and how long its weights are. */
async function check(
  record: JobRecord,
  newest: WeightManifest | undefined = manifest,
  bytes?: number | MillraceError,
): Promise<string> {
  const clock = new VirtualClock();
  const { kind, spec } = await loadJobRuntime(config, REAL_PORTS);
  const weights = {
    latest: () => Promise.resolve(newest && { manifest: newest, revision: 1 }),
    fetch: () =>
      bytes instanceof MillraceError
        ? Promise.reject(bytes)
        : Promise.resolve(new Uint8Array(bytes ?? 4 * parameterCount(kind.layout(spec)))),
  };
  const jobs = { fetch: () => Promise.resolve({ record, revision: 1 }) };
  const context = { clock, jobs, weights, runtimes: runtimesOn(clock) } as unknown as NodeContext;
  return clock.run(
    checkResumable(context, 'a').then(
      () => 'goes on',
      (thrown: unknown) => `${(thrown as MillraceError).code}: ${(thrown as MillraceError).message}`,
    ),
  );
}

describe('checkResumable', () => {
  it('lets a job go on whose state is whole, and whoever has not failed', async () => {
    expect(await check(failed)).toBe('goes on');
    expect(await check({ ...failed, state: 'PAUSED' }, create(WeightManifestSchema), 0)).toBe('goes on');
  });

  it('says what is missing, and what to start from instead', async () => {
    const lost = create(WeightManifestSchema, { ...manifest, ledger: { ...ledger, failed: 2n } });
    const gone = new MillraceError('not_found', 'optimizer of a version 10 is no longer kept');
    const answers = [
      await check(failed, lost),
      await check(failed, manifest, gone),
      await check(failed, manifest, 12),
      await check({ ...failed, config: { ...config, flow: '/nowhere/flow.ts' } }),
    ];
    const reasons = [
      /its state at version 10 is not whole: the ledger does not add up/,
      /its state at version 10 is not whole: optimizer of a version 10 is no longer kept/,
      /its flow has changed: the policy has other weights than version 10/,
      /its flow cannot be loaded: .*nowhere/,
    ];
    for (const [i, reason] of reasons.entries()) {
      expect(answers[i]).toMatch(/^failed_precondition: Job "a" cannot be resumed: /);
      expect(answers[i]).toMatch(reason);
      expect(answers[i]).toMatch(/--from \/checkpoints\/a\/v000010` starts a new job/);
    }
  });

  it('tells a job that never began from one whose weights are gone', async () => {
    const without = async (record: JobRecord): Promise<string> => {
      const clock = new VirtualClock();
      const context = {
        clock,
        jobs: { fetch: () => Promise.resolve({ record, revision: 1 }) },
        weights: { latest: () => Promise.resolve(undefined) },
        runtimes: runtimesOn(clock),
      } as unknown as NodeContext;
      return clock.run(checkResumable(context, 'a')).then(
        () => 'goes on',
        (thrown: unknown) => (thrown as Error).message,
      );
    };
    expect(await without({ ...failed, accepted: 0 })).toBe('goes on');
    expect(await without(failed)).toMatch(/JetStream holds no version of its weights/);
  });

  it('waits for the end to be worked off, but not for ever', async () => {
    expect(await check({ ...failed, unsettled: ['books'] })).toMatch(/^unavailable: .*worked off by a parameter server/);
  });
});
