import { toBinary } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { Random } from '../../src/random/random.ts';
import { Purpose, ScoredGroupSchema, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import { needsParts, publishInParts } from '../../src/protocol/parts.ts';
import { scoredSubject } from '../../src/protocol/subjects.ts';

/** A scored group on its way. */
export interface ScoredMessage {
  stub: Uint8Array;
  /** Its experience, where that goes apart, in parts. */
  apart: Uint8Array | undefined;
}

/** The message of a scored group. Only its experience may be large, and only its trainer reads that: it goes apart. */
export function scoredMessage(bus: Bus, scored: ScoredGroup): ScoredMessage {
  const data = toBinary(ScoredGroupSchema, scored);
  const { experience } = scored;
  if (!needsParts(bus, data.byteLength) || experience.byteLength === 0) return { stub: data, apart: undefined };
  return { stub: toBinary(ScoredGroupSchema, { ...scored, experience: new Uint8Array() }), apart: experience };
}

/** Publishes a scored group. Waits for room in SCORED. */
export async function publishScored(
  { bus, clock, random }: { bus: Bus; clock: Clock; random: Random },
  { request }: Pick<ScoredGroup, 'request'>,
  { stub, apart }: ScoredMessage,
): Promise<void> {
  const { id, job, purpose } = request!;
  const subject = scoredSubject(job, purpose === Purpose.EVALUATE ? 'evaluate' : 'train');
  const options = { id, content: requestContent(request!), clock };
  if (apart === undefined) await publishWithRoom(bus, subject, stub, options);
  else await publishInParts(bus, { job, subject, stub, whole: apart }, { ...options, random });
}
