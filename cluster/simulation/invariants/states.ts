import { hasEnded, endedCount } from '../../../src/jobs/ledger.ts';
import { NOTICES, LEASES } from '../../../src/protocol/names.ts';
import { JobState, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { Check } from './check.ts';
import type { Facts } from './facts.ts';
import type { Sometimes } from './sometimes.ts';

/** Notes the states of {@link SOMETIMES} that a run reaches. */
export function stateWatch(
  facts: Facts,
  saw: (state: Sometimes) => void,
): Check & { looked(job: Job): void; ended(job: Job): void } {
  const leases = new Map<string, number>();
  const shards = new Map<string, string>();
  return {
    lost() {
      saw('state-was-lost');
    },
    published({ subject, id, sequence }) {
      if (id.includes(':held:')) saw('held-was-returned');
      if (subject.startsWith('scored.') && id.endsWith(':lost')) saw('request-given-up');
      if (subject.startsWith('dlq.')) saw('dead-letter');
      if (!subject.startsWith('scored.')) return;
      const { request } = facts.scoredMessages.get(sequence)!;
      const { ledger } = facts.manifest ?? {};
      if (subject.endsWith('.train') && ledger && hasEnded(ledger, request!.sequence)) saw('duplicate-after-commit');
      if ((facts.groups.get(request!.id)?.length ?? 0) > 1) saw('request-ran-twice');
    },
    written({ bucket, key, value }) {
      if (bucket === NOTICES && value) saw('notice-reported');
      if (bucket !== LEASES || !value) return;
      const owner = Buffer.from(value).toString();
      const before = shards.get(key);
      shards.set(key, owner);
      if (before === undefined || before === owner) return;
      leases.set(key, (leases.get(key) ?? 0) + 1);
      if (key.startsWith('job.')) saw('coordinator-took-over');
      const open = [...facts.scored.keys()].some((s) => !facts.manifest?.ledger || !hasEnded(facts.manifest.ledger, s));
      if (key.startsWith('trainer.') && open) saw('trainer-took-over');
    },
    looked({ waitingFor }) {
      if (/store|service/.test(waitingFor)) saw('admission-was-held');
    },
    ended({ state, progress, evaluations }) {
      if (state === JobState.CANCELLED) saw('job-was-cancelled');
      const { ledger } = progress!;
      if (evaluations.length > 0) saw('evaluation-recorded');
      if (!ledger || endedCount(ledger) === 0) return;
      if (ledger.expired > 0n) saw('group-expired');
      if (ledger.failed > 0n) saw('group-failed');
      if (ledger.filtered > 0n) saw('group-filtered');
    },
  };
}
