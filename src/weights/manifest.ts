import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../errors.ts';
import { WeightManifestSchema } from '../gen/millrace/v1/weights_pb.ts';
import type { WeightManifest } from '../gen/millrace/v1/weights_pb.ts';

/** Version of what a manifest and its blobs mean. One that older versions cannot go on with gets the next number. */
const MANIFEST_FORMAT = 1;

/** A manifest as it is stored; marks it with this version's format. */
export function encodeManifest(manifest: WeightManifest): Uint8Array {
  manifest.format = MANIFEST_FORMAT;
  return toBinary(WeightManifestSchema, manifest);
}

/**
 * Reads what {@link encodeManifest} wrote for this job.
 *
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` when it is damaged.
 */
export function decodeManifest(bytes: Uint8Array, job: string): WeightManifest {
  const damaged = (why: string, cause?: unknown): MillraceError =>
    new MillraceError('data_loss', `the weight manifest of job ${job} cannot be read: ${why}`, { cause, field: 'manifest' });
  let manifest: WeightManifest;
  try {
    manifest = fromBinary(WeightManifestSchema, bytes);
  } catch (cause) {
    throw damaged('it is not a WeightManifest (truncated, or something else)', cause);
  }
  if (manifest.format > MANIFEST_FORMAT) {
    throw new MillraceError(
      'failed_precondition',
      `the weight manifest of job ${job} cannot be read: a newer version of Millrace wrote it (format ${manifest.format}; this version reads ${MANIFEST_FORMAT}): upgrade`,
      { field: 'manifest' },
    );
  }
  if (manifest.job !== job) throw damaged(`it is that of job "${manifest.job}"`);
  // Without its last fields a message is still one.
  if (manifest.weights === undefined || manifest.optimizer === undefined) throw damaged('it names no weights (truncated)');
  return manifest;
}

/**
 * Checks that the weights of a manifest are those of a policy kind. One that names no kind is from before there were several.
 *
 * @param kind of the policy that is to use them
 * @throws MillraceError `failed_precondition` (field `policy.kind`) with both kinds
 */
export function checkPolicyKind({ job, version, policyKind }: WeightManifest, kind: string): void {
  if (policyKind === '' || policyKind === kind) return;
  throw new MillraceError(
    'failed_precondition',
    `version ${version} of job ${job} has weights of policy kind "${policyKind}", and this process runs the job with policy kind "${kind}": they are not loaded`,
    { field: 'policy.kind' },
  );
}
