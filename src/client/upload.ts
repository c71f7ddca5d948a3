import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ArtifactStore } from '../artifacts/artifacts.ts';
import type { AdminService, UploadArtifactsRequestSchema } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';

/** What a bundle is made of: paths on this machine, relative ones to the working directory, or file URLs. */
export interface FlowSource {
  /** Module that exports the flow. */
  flow: string | URL;
  /** Modules of custom rewards, in the order of the components of the job. */
  rewards?: readonly (string | URL)[] | undefined;
  /** File or folder of task data. */
  data?: string | URL | undefined;
  /** Files and folders that the code reads, besides those that the flow declares itself. */
  files?: readonly (string | URL)[] | undefined;
}

/** A flow that is in the cluster. */
export interface UploadedFlow {
  /** Digest of its bundle: the same for the same content, wherever it lies. */
  bundle: string;
}

/** Bytes in a message. */
const CHUNK_BYTES = 256 * 1024;
const DIGESTS_AT_ONCE = 5_000;

/** See `MillraceClient.uploadFlow`. */
export async function uploadFlow(
  admin: ServiceClient<typeof AdminService>,
  source: FlowSource,
  options: CallOptions = {},
): Promise<UploadedFlow> {
  const [{ FileArtifacts }, { readBundle }] = await Promise.all([
    import('../artifacts/file-artifacts.ts'),
    import('../flow/bundle/unpack.ts'),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-upload-'));
  try {
    const store = new FileArtifacts(folder);
    const bundle = await bundled(source, store);
    const { files } = await readBundle(bundle, store);
    // The manifest last: where it is, all that it lists is.
    await upload(admin, store, [...new Set(Object.values(files))], options);
    await upload(admin, store, [bundle], options);
    return { bundle };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Path of what a caller names. */
export function pathOf(place: string | URL): string {
  return place instanceof URL || place.startsWith('file:') ? fileURLToPath(place) : resolve(place);
}

async function bundled(source: FlowSource, store: ArtifactStore): Promise<string> {
  const [{ makeBundle }, { loadFlow }] = await Promise.all([import('../flow/bundle/make.ts'), import('../flow/load.ts')]);
  const flow = pathOf(source.flow);
  // What a flow reads is known once it is loaded.
  const declared = ((await loadFlow(flow)).files ?? []).map((path) => resolve(dirname(flow), path));
  return makeBundle(
    {
      flow,
      rewards: (source.rewards ?? []).map(pathOf),
      data: source.data === undefined ? undefined : pathOf(source.data),
      files: [...(source.files ?? []).map(pathOf), ...declared],
    },
    store,
  );
}

/** Uploads those of the artifacts that the cluster does not have. */
async function upload(
  admin: ServiceClient<typeof AdminService>,
  store: ArtifactStore,
  digests: readonly string[],
  options: CallOptions,
): Promise<void> {
  for (let at = 0; at < digests.length; at += DIGESTS_AT_ONCE) {
    const { missing } = await admin.findMissingArtifacts({ digests: digests.slice(at, at + DIGESTS_AT_ONCE) }, options);
    if (missing.length > 0) await admin.uploadArtifacts(messagesOf(store, missing), options);
  }
}

type UploadMessage = MessageInitShape<typeof UploadArtifactsRequestSchema>;

async function* messagesOf(store: ArtifactStore, digests: readonly string[]): AsyncGenerator<UploadMessage> {
  const sizes = new Map<string, number>();
  for await (const { digest, size } of store.list()) sizes.set(digest, size);
  for (const digest of digests) {
    yield { part: { case: 'header', value: { digest, size: BigInt(sizes.get(digest) ?? 0) } } };
    for await (const piece of store.get(digest))
      for (let at = 0; at < piece.byteLength; at += CHUNK_BYTES)
        yield { part: { case: 'data', value: piece.subarray(at, at + CHUNK_BYTES) } };
  }
}
