import { Purpose } from '../../../src/gen/millrace/v1/training_pb.ts';
import { hasEnded } from '../../../src/jobs/ledger.ts';
import { isEnded } from '../../../src/jobs/state.ts';
import { SCORED } from '../../../src/protocol/names.ts';
import { WRITER_SCORED } from '../../../src/protocol/durables.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** A group leaves SCORED only after the round that used it is committed and the store has it (promise 1). */
export function releaseCheck(facts: Facts, fail: Fail): Check {
  return {
    acked({ node, stream, durable, message }) {
      if (stream !== SCORED) return;
      const group = facts.scoredMessages.get(message.sequence);
      if (!group) return;
      // One of a stream that was deleted has the number of another one.
      if (message.id !== '' && !message.id.startsWith(group.request!.id)) return;
      const { id, sequence, purpose } = group.request!;
      if (durable === WRITER_SCORED.durable) {
        // A request that was given up has no rows.
        if (group.trajectoryRows.length > 0 && !facts.storedRequests.has(id))
          fail('acked-after-storage', `${node} acknowledges ${id}, whose rows the store does not have`);
        return;
      }
      if (purpose !== Purpose.TRAIN || isEnded((facts.record?.state ?? 'RUNNING') as 'RUNNING')) return;
      const { ledger } = facts.manifest ?? {};
      if (!ledger || !hasEnded(ledger, sequence))
        fail(
          'acked-after-commit',
          `${node} acknowledges ${id}, which has not ended in version ${facts.manifest?.version ?? 'none'}`,
        );
    },
  };
}
