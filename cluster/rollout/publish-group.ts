import { create, toBinary } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { tooLargeGroup } from '../../src/flow/too-large.ts';
import { TrajectoryGroupSchema, type TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import { maxBytesInParts, needsParts, publishInParts, type PartsOptions } from '../../src/protocol/parts.ts';
import { groupSubject } from '../../src/protocol/subjects.ts';

/**
 * Publishes a finished group, whole or in parts; one that is too large even for that goes as failed, with its size. Waits for room
 * in GROUPS. Returns the group as it was sent.
 */
export async function publishGroup(
  bus: Bus,
  group: TrajectoryGroup,
  { random, ...room }: Pick<PartsOptions, 'clock' | 'signal' | 'random'>,
): Promise<TrajectoryGroup> {
  const limit = maxBytesInParts(bus);
  let sent = group;
  let whole = toBinary(TrajectoryGroupSchema, group);
  if (whole.byteLength > limit) {
    sent = tooLargeGroup(group, whole.byteLength, limit);
    whole = toBinary(TrajectoryGroupSchema, sent);
  }
  const request = group.request!;
  const { job, id } = request;
  const options = { ...room, id, content: requestContent(request) };
  const subject = groupSubject(job);
  if (needsParts(bus, whole.byteLength)) {
    const stub = toBinary(TrajectoryGroupSchema, create(TrajectoryGroupSchema, { request }));
    await publishInParts(bus, { job, subject, stub, whole }, { ...options, random });
  } else {
    await publishWithRoom(bus, subject, whole, options);
  }
  return sent;
}
