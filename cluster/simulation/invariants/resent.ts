import { fromBinary } from '@bufbuild/protobuf';
import { Purpose, RolloutRequestSchema } from '../../../src/gen/millrace/v1/training_pb.ts';
import { SCORED } from '../../../src/protocol/names.ts';
import { rolloutSubject } from '../../../src/protocol/subjects.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/**
 * A request is not sent again while a scored group of it waits for its round, as far as its coordinator can see: another run may come
 * out otherwise, and its rows would replace those of the group that is trained on (promise 1).
 */
export function resentCheck(facts: Facts, fail: Fail): Check {
  let moment = 0;
  /** When each process looked into SCORED last. */
  const looked = new Map<string, number>();
  /** Messages in SCORED that no trainer is done with: the sequences of their requests, and since when they are there. */
  const waiting = new Map<number, { request: number; since: number }>();
  return {
    published({ subject, sequence }) {
      if (!subject.startsWith('scored.')) return;
      const { request } = facts.scoredMessages.get(sequence)!;
      if (request!.purpose !== Purpose.TRAIN) return;
      moment += 1;
      waiting.set(sequence, { request: Number(request!.sequence), since: moment });
    },
    acked({ stream, durable, message }) {
      if (stream === SCORED && durable.startsWith('trainer-')) waiting.delete(message.sequence);
    },
    lost({ stream }) {
      if (stream === SCORED) waiting.clear();
    },
    read({ life, stream }) {
      if (stream !== SCORED) return;
      moment += 1;
      looked.set(life, moment);
    },
    sent({ life, subject, data, id }) {
      // What was held was not run.
      if (!subject.startsWith(rolloutSubject('')) || id.includes(':held:')) return;
      const request = fromBinary(RolloutRequestSchema, data);
      if (request.purpose !== Purpose.TRAIN) return;
      for (const { request: sequence, since } of waiting.values())
        if (sequence === Number(request.sequence) && since < (looked.get(life) ?? 0))
          fail('scored-is-not-run-again', `${life} sends ${request.id} again, whose scored group waits for its round`);
    },
  };
}
