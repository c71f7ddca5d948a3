import type { Bus } from '../../src/bus/bus.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { EVENTS } from '../../src/protocol/names.ts';
import { eventSubject } from '../../src/protocol/subjects.ts';
import { decodeUpdateRow } from '../../src/records/encode.ts';

/** Publishes a version's row of table `updates`. A second one is dropped by its id, or replaces the first in the store. */
export async function publishUpdateRow(bus: Bus, job: string, version: number, row: Uint8Array): Promise<void> {
  await bus.publish(eventSubject(job, 'update'), row, { id: `${job}:update:${version}` });
}

/** Publishes the row of a version that was committed, where that was not done: its parameter server may have died between the two. */
export async function publishMissingRow(bus: Bus, { job, version, updateRow }: WeightManifest): Promise<void> {
  if (updateRow.length === 0) return;
  const last = await bus.last(EVENTS, eventSubject(job, 'update'));
  if (last && decodeUpdateRow(last.data)?.version === version) return;
  await publishUpdateRow(bus, job, version, updateRow);
}
