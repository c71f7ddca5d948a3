/** The envelope that experience travels in (proto/millrace/v1/experience.proto): who reads its payload, and its columns. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { checkColumns } from '../algo/columns/experience.ts';
import { MillraceError } from '../errors.ts';
import { ExperienceSchema, type Experience } from '../gen/millrace/v1/experience_pb.ts';

export type { Experience };

/** What {@link encodeExperience} is given; columns as in `ExperienceColumns` of src/algo. */
export interface ExperienceParts {
  /** Policy kind that decided. */
  kind: string;
  /** Format of the payload. */
  codec: string;
  payload: Uint8Array;
  /** Sampling temperature; > 0. */
  temperature: number;
  trajectoryLengths: number[];
  /** Default: every decision is one token long. */
  decisionLengths?: number[];
  logProbabilities: number[];
  /** One byte a token, 0 where it is not trained on. Default: all are. */
  mask?: Uint8Array;
}

/** The message of these parts. `invalid_argument` with the field where columns contradict each other. */
export function experienceOf(parts: ExperienceParts): Experience {
  const experience = create(ExperienceSchema, parts);
  checkExperience(experience, '');
  return experience;
}

/** The bytes of {@link experienceOf}. */
export function encodeExperience(parts: ExperienceParts): Uint8Array {
  return toBinary(ExperienceSchema, experienceOf(parts));
}

/** Decodes an envelope and checks its columns; the payload stays as it is. `data_loss` when the bytes are none. */
export function decodeExperience(bytes: Uint8Array): Experience {
  let experience: Experience;
  try {
    experience = fromBinary(ExperienceSchema, bytes);
  } catch (cause) {
    throw new MillraceError('data_loss', `not an Experience: ${MillraceError.from(cause).message}`, { cause });
  }
  checkExperience(experience, 'experience.');
  return experience;
}

/** `failed_precondition` unless the payload is in this codec's format: another policy kind or another version wrote it. */
export function requireCodec({ kind, codec }: Experience, wanted: { kind: string; codec: string }): void {
  if (kind === wanted.kind && codec === wanted.codec) return;
  throw new MillraceError(
    'failed_precondition',
    `experience of kind "${kind}" in format "${codec}", where a policy of kind "${wanted.kind}" reads "${wanted.codec}"`,
    { field: 'experience.codec' },
  );
}

function checkExperience(experience: Experience, where: string): void {
  const { kind, codec, temperature } = experience;
  const field = kind === '' ? 'kind' : codec === '' ? 'codec' : undefined;
  if (field !== undefined) {
    throw new MillraceError('invalid_argument', `${where}${field}: it is empty`, { field: `${where}${field}` });
  }
  if (!(temperature > 0)) {
    const name = `${where}temperature`;
    throw new MillraceError('invalid_argument', `${name} must be above 0, got ${temperature}`, { field: name });
  }
  checkColumns(experience, where);
}
