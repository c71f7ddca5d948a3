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
  /** Nothing was deleted: what is in SCORED waits for its trainer. */
  let isKnown = true;
  /** When each process looked into SCORED. */
  const looks = new Map<string, { at: number; moment: number }[]>();
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
      // What comes while the trainer's durable is gone waits for nobody.
      if (stream === SCORED) isKnown = false;
    },
    read({ life, stream, at }) {
      if (stream !== SCORED) return;
      moment += 1;
      looks.set(life, [...(looks.get(life) ?? []), { at, moment }]);
    },
    sent({ life, subject, data, id, askedAt }) {
      // What was held was not run.
      if (!subject.startsWith(rolloutSubject('')) || id.includes(':held:')) return;
      const request = fromBinary(RolloutRequestSchema, data);
      if (request.purpose !== Purpose.TRAIN || !isKnown) return;
      // What is carried out late was decided before.
      const looked = looks.get(life)?.findLast(({ at }) => at <= askedAt)?.moment ?? 0;
      for (const { request: sequence, since } of waiting.values())
        if (sequence === Number(request.sequence) && since < looked)
          fail('scored-is-not-run-again', `${life} sends ${request.id} again, whose scored group waits for its round`);
    },
  };
}
