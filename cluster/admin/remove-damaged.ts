import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { POLICIES, WEIGHTS, type StreamName } from '../../src/protocol/names.ts';
import { weightsFilter } from '../../src/protocol/subjects.ts';
import type { DurableFinding } from './finding.ts';
import { isBucket } from './inspect-values.ts';

/** Removes what lies in a place, where one of the findings says that it may be; returns the value that was there, if it had one. */
export async function removeDamaged(
  bus: Bus,
  place: string,
  findings: readonly DurableFinding[],
): Promise<{ value: Uint8Array }> {
  const found = findings.find((finding) => finding.place === place);
  const [first = '', ...rest] = place.split('/');
  const name = rest.join('/');
  if (!found?.removable) {
    const isThere = found !== undefined || (isBucket(first) && name !== '' && (await bus.kv(first).get(name)) !== undefined);
    throw isThere ? nothingWrong(place) : notFound(place);
  }
  if (!isBucket(first)) {
    await bus.deleteDurable(first as StreamName, name);
    return { value: new Uint8Array() };
  }
  const kv = bus.kv(first);
  const entry = await kv.get(name);
  if (!entry) return { value: new Uint8Array() };
  await kv.delete(name, entry.revision);
  if (first === POLICIES && /^[\w-]+$/.test(name)) await bus.purge(WEIGHTS, weightsFilter({ job: name }));
  return { value: entry.value };
}

function nothingWrong(place: string): MillraceError {
  const message = `${place} is not removed: nothing is wrong with it that this would mend.`;
  return new MillraceError('failed_precondition', message, { field: 'place' });
}

function notFound(place: string): MillraceError {
  const message = `There is no ${place}. \`millrace doctor\` shows what is damaged.`;
  return new MillraceError('not_found', message, { field: 'place' });
}
