import { create } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { WeightManifestSchema } from '../gen/millrace/v1/weights_pb.ts';
import type { WeightManifest } from '../gen/millrace/v1/weights_pb.ts';
import { BusWeightChannel } from './bus-weight-channel.ts';
import type { BusHarness } from '../bus/conformance/harness.ts';
import { Collected, bytes, failure } from '../bus/conformance/harness.ts';
import type { Fixture } from '../bus/conformance/suite.ts';
import { suite } from '../bus/conformance/suite.ts';
import { systemRandom } from '../random/seeded.ts';

const manifest = (job: string, version: number): WeightManifest =>
  create(WeightManifestSchema, { job, version, tensors: [{ name: 'w', shape: [2] }], fence: 7n });

/** Bytes that differ by seed and place. */
const blob = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);

const channel = ({ bus, harness }: Fixture): BusWeightChannel =>
  new BusWeightChannel(bus, { clock: harness.clock, random: systemRandom(), chunkBytes: 1000, window: 3 });

/** Policy versions over the bus. */
export function describeWeights(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: weights`, start, (test) => {
    test('what is committed can be fetched, whatever its length', async (fixture) => {
      const weights = channel(fixture);
      expect(await weights.latest('sizes')).toBeUndefined();
      let revision = 0;
      for (const [version, length] of [0, 1, 999, 1000, 1001, 25_000].entries()) {
        const blobs = { weights: blob(length, version), optimizer: blob(2 * length, version + 50) };
        revision = await weights.commit(manifest('sizes', version), blobs, revision);
        const latest = (await weights.latest('sizes'))!;
        expect(latest.revision).toBe(revision);
        expect(latest.manifest).toMatchObject({
          version,
          fence: 7n,
          weights: { bytes: BigInt(length), chunks: Math.ceil(length / 1000) },
        });
        expect(await weights.fetch(latest.manifest, 'weights')).toEqual(blobs.weights);
        expect(await weights.fetch(latest.manifest, 'optimizer')).toEqual(blobs.optimizer);
      }
    });

    test('a commit on an old revision is aborted and changes nothing', async (fixture) => {
      const [ours, theirs] = [channel(fixture), channel(fixture)];
      const first = await ours.commit(manifest('fight', 0), { weights: blob(3000, 1), optimizer: bytes('') }, 0);
      await ours.commit(manifest('fight', 1), { weights: blob(3000, 2), optimizer: bytes('') }, first);
      const late = await failure(theirs.commit(manifest('fight', 1), { weights: blob(3000, 3), optimizer: bytes('') }, first));
      expect(late).toMatchObject({ code: 'aborted', field: 'revision' });
      expect((await failure(theirs.commit(manifest('fight', 0), { weights: blob(1, 1), optimizer: bytes('') }, 0))).code).toBe(
        'aborted',
      );
      const { manifest: newest } = (await theirs.latest('fight'))!;
      expect(await theirs.fetch(newest, 'weights')).toEqual(blob(3000, 2));
    });

    test('of two commits at once one wins, and its bytes are whole', async (fixture) => {
      const revision = await channel(fixture).commit(manifest('race', 0), { weights: blob(10, 0), optimizer: bytes('') }, 0);
      const blobs = [blob(20_000, 4), blob(20_000, 5)];
      const outcomes = await Promise.allSettled(
        blobs.map((weights) => channel(fixture).commit(manifest('race', 1), { weights, optimizer: weights }, revision)),
      );
      const won = outcomes.findIndex((o) => o.status === 'fulfilled');
      expect(outcomes.map((o) => o.status).sort()).toEqual(['fulfilled', 'rejected']);
      const { manifest: newest } = (await channel(fixture).latest('race'))!;
      expect(await channel(fixture).fetch(newest, 'weights')).toEqual(blobs[won]);
      expect(await channel(fixture).fetch(newest, 'optimizer')).toEqual(blobs[won]);
    });

    test('older versions stay until they are dropped, and can be made again at once', async (fixture) => {
      const weights = channel(fixture);
      let revision = 0;
      for (let version = 0; version < 3; version++) {
        revision = await weights.commit(
          manifest('old', version),
          { weights: blob(5000, version), optimizer: bytes('') },
          revision,
        );
      }
      for (let version = 0; version < 3; version++) {
        const found = (await weights.manifest('old', version))!;
        expect(found.version).toBe(version);
        expect(await weights.fetch(found, 'weights')).toEqual(blob(5000, version));
      }
      expect(await weights.manifest('old', 3)).toBeUndefined();
      const first = (await weights.manifest('old', 0))!;
      await weights.drop('old', 0);
      expect(await weights.manifest('old', 0)).toBeUndefined();
      expect((await failure(weights.fetch(first, 'weights'))).code).toBe('not_found');
      await weights.forget('old');
      expect(await weights.latest('old')).toBeUndefined();
      await weights.commit(manifest('old', 0), { weights: blob(5000, 0), optimizer: bytes('') }, 0);
      expect(await weights.fetch((await weights.latest('old'))!.manifest, 'weights')).toEqual(blob(5000, 0));
    });

    test('what exploration knows travels with the version that has it', async (fixture) => {
      const weights = channel(fixture);
      const blobs = { weights: blob(1500, 1), optimizer: bytes(''), exploration: blob(2500, 2) };
      let revision = await weights.commit(manifest('explored', 0), { weights: blob(10, 0), optimizer: bytes('') }, 0);
      const without = (await weights.latest('explored'))!.manifest;
      expect(without.exploration).toBeUndefined();
      expect(await failure(weights.fetch(without, 'exploration'))).toMatchObject({
        code: 'invalid_argument',
        field: 'exploration',
      });
      revision = await weights.commit(manifest('explored', 1), blobs, revision);
      const { manifest: newest } = (await weights.latest('explored'))!;
      expect(newest.exploration).toMatchObject({ bytes: 2500n, chunks: 3 });
      expect(await weights.fetch(newest, 'exploration')).toEqual(blobs.exploration);
      expect(await weights.fetch(newest, 'weights')).toEqual(blobs.weights);
      const other = await failure(weights.amend({ ...newest, exploration: undefined }, revision));
      expect(other).toMatchObject({ code: 'invalid_argument', field: 'exploration' });
      revision = await weights.amend({ ...newest, trainSeconds: 3 }, revision);
      expect(await weights.fetch((await weights.latest('explored'))!.manifest, 'exploration')).toEqual(blobs.exploration);
      await weights.commit(manifest('explored', 2), blobs, revision);
      await weights.drop('explored', 1);
      expect((await failure(weights.fetch(newest, 'exploration'))).code).toBe('not_found');
      expect(await weights.fetch((await weights.latest('explored'))!.manifest, 'exploration')).toEqual(blobs.exploration);
    });

    test('the average of the weights travels with the version that has one', async (fixture) => {
      const weights = channel(fixture);
      const first = { weights: blob(1500, 1), optimizer: bytes('') };
      let revision = await weights.commit(manifest('averaged', 0), first, 0);
      expect((await weights.latest('averaged'))!.manifest.average).toBeUndefined();
      const blobs = { ...first, average: blob(1500, 2) };
      revision = await weights.commit(manifest('averaged', 1), blobs, revision);
      const { manifest: newest } = (await weights.latest('averaged'))!;
      expect(await weights.fetch(newest, 'average')).toEqual(blobs.average);
      expect(await weights.fetch(newest, 'weights')).toEqual(blobs.weights);
      const other = await failure(weights.amend({ ...newest, average: undefined }, revision));
      expect(other).toMatchObject({ code: 'invalid_argument', field: 'average' });
      await weights.drop('averaged', 1);
      await weights.republish(newest, blobs);
      expect(await weights.fetch(newest, 'average')).toEqual(blobs.average);
    });

    test('a changed chunk is noticed', async (fixture) => {
      const weights = channel(fixture);
      await weights.commit(manifest('broken', 0), { weights: blob(5000, 0), optimizer: bytes('') }, 0);
      const { manifest: newest } = (await weights.latest('broken'))!;
      const subjects: string[] = [];
      for await (const message of fixture.bus.read('WEIGHTS', 'weights.broken.>')) subjects.push(message.subject);
      expect(subjects).toHaveLength(5);
      await fixture.bus.publish(subjects[2]!, blob(1000, 9), { id: 'broken-1' });
      expect((await failure(weights.fetch(newest, 'weights'))).code).toBe('data_loss');
      await fixture.bus.publish(subjects[2]!, blob(7000, 9), { id: 'broken-2' });
      expect((await failure(weights.fetch(newest, 'weights'))).code).toBe('data_loss');
    });

    test('watchers hear the newest manifest now and after every commit and amendment', async (fixture) => {
      const weights = channel(fixture);
      const seen = new Collected<string>(fixture.harness.clock);
      let revision = await weights.commit(manifest('seen', 0), { weights: blob(10, 0), optimizer: bytes('') }, 0);
      const stop = await weights.watch('seen', (m) => seen.add(`${m.version}:${m.trainSeconds}`));
      revision = await weights.commit(manifest('seen', 1), { weights: blob(10, 1), optimizer: bytes('') }, revision);
      const { manifest: newest } = (await weights.latest('seen'))!;
      newest.trainSeconds = 9;
      expect((await failure(weights.amend(newest, revision - 1))).code).toBe('aborted');
      revision = await weights.amend(newest, revision);
      expect(await seen.count(3)).toEqual(['0:0', '1:0', '1:9']);
      expect((await weights.latest('seen'))!.revision).toBe(revision);
      expect((await failure(weights.amend({ ...newest, version: 2 }, revision))).code).toBe('invalid_argument');
      expect((await failure(weights.amend({ ...newest, weights: undefined }, revision))).code).toBe('invalid_argument');
      stop();
    });
  });
}
