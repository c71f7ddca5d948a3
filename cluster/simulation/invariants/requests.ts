import { fromBinary } from '@bufbuild/protobuf';
import { Purpose, RolloutRequestSchema } from '../../../src/gen/millrace/v1/training_pb.ts';
import { requestContent } from '../../../src/jobs/requests.ts';
import { tasksOf } from '../../../src/records/request-tasks.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/**
 * A request is accepted before it is sent, so that the next coordinator knows of it; evaluations never train, and measure other tasks (promise 1). One that is
 * sent again asks for the same flows (promise 6).
 */
export function requestCheck(facts: Facts, fail: Fail): Check {
  const tasks = new Map<number, string>();
  const contents = new Map<string, string>();
  const purposes = new Map<string, Purpose>();
  return {
    published({ subject, data, sequence: place }) {
      if (subject.startsWith('rollout.')) {
        const request = fromBinary(RolloutRequestSchema, data);
        const content = requestContent(request);
        const sent = contents.get(request.id);
        if (sent !== undefined && sent !== content)
          fail('request-is-the-same', `${request.id} was ${sent} and is sent again as ${content}`);
        contents.set(request.id, content);
        for (const { taskId } of tasksOf(request)) {
          purposes.set(taskId, purposes.get(taskId) ?? request.purpose);
          if (purposes.get(taskId) !== request.purpose)
            fail('held-out-is-held-out', `${request.id} is about ${taskId}, which is trained on and measured`);
        }
        if (request.purpose !== Purpose.TRAIN) return;
        const sequence = Number(request.sequence);
        const accepted = facts.record?.accepted ?? 0;
        if (sequence >= accepted) fail('sent-was-accepted', `request ${sequence} is sent and only ${accepted} are accepted`);
        const before = tasks.get(sequence);
        if (before !== undefined && before !== request.taskId)
          fail('request-keeps-its-task', `request ${sequence} was about ${before} and is sent again about ${request.taskId}`);
        tasks.set(sequence, request.taskId);
      } else if (subject.startsWith('scored.')) {
        const [, , purpose] = subject.split('.');
        const scored = facts.scoredMessages.get(place)!;
        const isTraining = scored.request!.purpose === Purpose.TRAIN;
        if (isTraining !== (purpose === 'train'))
          fail('evaluations-never-train', `${scored.request!.id} is published as ${purpose}`);
      }
    },
  };
}
