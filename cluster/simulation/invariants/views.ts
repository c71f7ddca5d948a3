import { JobState, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { endedCount } from '../../../src/jobs/ledger.ts';
import type { Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** What clients are shown of a job was so at some time, and of a job that has succeeded it is what its record and its ledger say. */
export function viewCheck(facts: Facts, fail: Fail): (job: Job) => void {
  return (job) => {
    const { manifest, record } = facts;
    const { round = 0, requests = 0n, ledger } = job.progress ?? {};
    const ended = ledger ? endedCount(ledger) : 0;
    const now = {
      round: manifest?.version ?? 0,
      requests: record?.accepted ?? 0,
      ended: manifest?.ledger ? endedCount(manifest.ledger) : 0,
      evaluations: record?.evaluations.length ?? 0,
    };
    const shown = { round, requests: Number(requests), ended, evaluations: job.evaluations.length };
    const names = Object.keys(now) as (keyof typeof now)[];
    const early = names.find((name) => shown[name] > now[name]);
    if (early !== undefined) fail('view-is-true', `the job is shown with ${early} ${shown[early]}, which is ${now[early]}`);
    if (job.state !== JobState.SUCCEEDED) return;
    const late = names.find((name) => shown[name] !== now[name]);
    if (late !== undefined)
      fail('view-is-true', `the job has succeeded and is shown with ${late} ${shown[late]}, not ${now[late]}`);
  };
}
