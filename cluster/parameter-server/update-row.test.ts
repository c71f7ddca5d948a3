import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { encodeRows } from '../../src/records/encode.ts';
import type { UpdateRow } from '../../src/records/tables.ts';
import { publishMissingRow, publishUpdateRow } from './update-row.ts';

const row = (version: number, commit_ms: number): Uint8Array =>
  encodeRows('updates', [{ job: 'a', version, commit_ms } as UpdateRow]);

it('publishes the row of a version unless that was done', async () => {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  const { bus } = await clock.run(nodes.node('one'));
  const manifest = create(WeightManifestSchema, { job: 'a', version: 2, updateRow: row(2, 0) });
  const published = async (): Promise<number> => (await clock.run(bus.streamState('EVENTS', 'event.a.update'))).messages;
  await clock.run(publishUpdateRow(bus, 'a', 1, row(1, 7)));
  await clock.run(publishMissingRow(bus, manifest));
  expect(await published()).toBe(2);
  await clock.run(publishMissingRow(bus, manifest));
  expect(await published()).toBe(2);

  // Another row of the version has what the commit took, which the manifest cannot have.
  await clock.run(publishUpdateRow(bus, 'a', 3, row(3, 7)));
  await clock.run(publishMissingRow(bus, { ...manifest, version: 3, updateRow: row(3, 0) }));
  expect(await published()).toBe(3);
  await clock.run(publishMissingRow(bus, { ...manifest, version: 4, updateRow: new Uint8Array() }));
  expect(await published()).toBe(3);
});
