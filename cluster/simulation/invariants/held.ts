import { fromBinary } from '@bufbuild/protobuf';
import {
  Purpose,
  RolloutRequestSchema,
  TrajectoryGroupSchema,
  type RolloutRequest,
} from '../../../src/gen/millrace/v1/training_pb.ts';
import { hasEnded } from '../../../src/jobs/ledger.ts';
import { isEnded } from '../../../src/jobs/state.ts';
import { HELD } from '../../../src/protocol/names.ts';
import { groupSubject, heldSubject } from '../../../src/protocol/subjects.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** What waited in HELD is deleted there once it was returned or nobody needs it: between the two its coordinator may die (promise 1). */
export function heldCheck(facts: Facts, fail: Fail): Check {
  const requests = new Map<number, RolloutRequest>();
  const returned = new Set<number>();
  return {
    published({ subject, data, id, sequence }) {
      if (!subject.startsWith(heldSubject(''))) return;
      const request = id.includes(`:${groupSubject('')}`)
        ? fromBinary(TrajectoryGroupSchema, data).request
        : fromBinary(RolloutRequestSchema, data);
      if (request) requests.set(sequence, request);
    },
    sent({ id }) {
      const number = /:held:(\d+)$/.exec(id)?.[1];
      if (number !== undefined) returned.add(Number(number));
    },
    lost({ stream }) {
      if (stream !== HELD) return;
      requests.clear();
      returned.clear();
    },
    deleted({ node, stream, sequence }) {
      const request = stream === HELD ? requests.get(sequence) : undefined;
      // Those of an evaluation that is run again are dropped.
      if (!request || returned.has(sequence) || request.purpose === Purpose.EVALUATE) return;
      const { record, manifest } = facts;
      if (record && isEnded(record.state as 'RUNNING')) return;
      if (manifest?.ledger && hasEnded(manifest.ledger, request.sequence)) return;
      fail('held-is-kept', `${node} deletes ${request.id} from HELD, which was not returned and has not ended`);
    },
  };
}
