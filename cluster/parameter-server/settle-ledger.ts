import { SCORED } from '../../src/protocol/names.ts';
import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end, open } from '../../src/jobs/ledger.ts';
import { settle, type JobRecord } from '../../src/jobs/record.ts';
import { chargedIn, publishCharges, readCharges } from '../jobs/job-charges.ts';
import type { NodeContext } from '../runtime/context.ts';
import { trainerDurable } from '../../src/protocol/durables.ts';
import { publishMissingRow } from './update-row.ts';

/**
 * What a parameter server does after a job has ended: requests that are still open end as failed, with the job's state as
 * their class, so that the ledger adds up for good, and the row of the last version is published if it was not; then the trainer's
 * durable goes. Needs nothing but what was committed, so that it works without the trainer too, and may be done again: the record says that
 * it is to be done until it is done. With it goes what the job was charged, once no process holds money of it.
 */
export async function settleLedger({ weights, bus, clock, jobs, log }: NodeContext, record: JobRecord): Promise<void> {
  const latest = await weights.latest(record.id).catch((thrown: unknown) => {
    const error = MillraceError.from(thrown);
    if (error.retryable) throw error;
    // What cannot be read cannot be amended, and trying again would not change that.
    log.error({ err: error, job: record.id }, 'the ledger of a job that has ended cannot be settled');
    return undefined;
  });
  const charges = await readCharges({ bus, clock, log }, record);
  if (latest) {
    const before = latest.manifest.ledger ?? emptyLedger();
    let ledger = before;
    for (const sequence of open(ledger, record.accepted)) ledger = end(ledger, sequence, { failed: record.state });
    const charged = chargedIn(charges, before);
    if (charged.spentMicroDollars !== ledger.spentMicroDollars || charged.spentTokens !== ledger.spentTokens)
      ledger = { ...ledger, ...charged };
    const manifest: WeightManifest = { ...latest.manifest, ledger };
    if (ledger !== before) await weights.amend(manifest, latest.revision);
    await publishMissingRow(bus, manifest);
  }
  await publishCharges({ bus, clock }, record, charges);
  // Whoever holds money of the job gives it back in a moment, or is found to be lost: whoever asks next finds more.
  if (!charges.settled) return;
  await bus.deleteDurable(SCORED, trainerDurable(record.id, record.config).durable);
  await jobs.update(record.id, (newest) => settle(newest, 'books'));
}
