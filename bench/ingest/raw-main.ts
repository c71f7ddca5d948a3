/** Process that inserts the same rows in the same batches into an engine of its own, without a bus: the limit of the engine. */
import { fromBinary } from '@bufbuild/protobuf';
import { ScoredGroupSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import { joinRows, unpackRows } from '../../src/records/pack.ts';
import type { TableName } from '../../src/records/tables.ts';
import type { Store } from '../../src/store/store.ts';
import { groupMessage } from '../load/messages.ts';
import type { GroupTemplate } from '../load/templates.ts';
import { serveOrders } from '../load/worker.ts';

/** What it can be told. */
export type RawOrder =
  | { kind: 'open'; folder: string; templates: GroupTemplate[] }
  /** Inserts about `steps` steps of a job in batches of `batchRows` rows of both tables: packed, as the writer does, or as plain text. */
  | { kind: 'insert'; job: string; steps: number; batchRows: number; concurrency: number; rows: 'packed' | 'plain' };

/** What an insert came to. */
export interface RawResult {
  steps: number;
  batches: number;
  /** Of rows as they were handed to the engine. */
  bytes: number;
  seconds: number;
  /** Processor time in the same while, what the engine does in the background included. */
  cpuSeconds: number;
}

type Batch = Partial<Record<TableName, Uint8Array>>;

let store: Store | undefined;
let templates: GroupTemplate[] = [];

serveOrders<RawOrder, RawResult>(
  async (order) => {
    if (order.kind === 'open') {
      store = await openEmbeddedStore({ path: order.folder });
      await store.migrate();
      templates = order.templates;
      return { steps: 0, batches: 0, bytes: 0, seconds: 0, cpuSeconds: 0 };
    }
    const { batches, steps, bytes } = batchesOf(order);
    const began = performance.now();
    const used = process.cpuUsage();
    await insertAll(batches, order);
    const { user, system } = process.cpuUsage(used);
    const seconds = (performance.now() - began) / 1000;
    return { steps, bytes, batches: batches.length, seconds, cpuSeconds: (user + system) / 1e6 };
  },
  async () => store?.close(),
);

/** Everything that the engine is not is done before the clock starts. */
function batchesOf({ job, steps: wanted, batchRows, rows: form }: Extract<RawOrder, { kind: 'insert' }>): {
  batches: Batch[];
  steps: number;
  bytes: number;
} {
  const batches: Batch[] = [];
  let steps = 0;
  let bytes = 0;
  let held: Record<'steps' | 'trajectories', Uint8Array[]> = { steps: [], trajectories: [] };
  let rows = 0;
  const travelling = (block: Uint8Array): Uint8Array => (form === 'packed' ? block : unpackRows(block));
  const close = (): void => {
    const batch = { steps: joinRows(held.steps), trajectories: joinRows(held.trajectories) };
    bytes += batch.steps.length + batch.trajectories.length;
    batches.push(batch);
    held = { steps: [], trajectories: [] };
    rows = 0;
  };
  for (let sequence = 0; steps < wanted; sequence += 1) {
    const message = groupMessage(templates[sequence % templates.length]!, { job, sequence, nowUs: Date.now() * 1000 });
    const group = fromBinary(ScoredGroupSchema, message.data);
    held.steps.push(travelling(group.stepRows));
    held.trajectories.push(travelling(group.trajectoryRows));
    rows += message.steps + message.lengths.length;
    steps += message.steps;
    if (rows >= batchRows) close();
  }
  if (rows > 0) close();
  return { batches, steps, bytes };
}

async function insertAll(batches: readonly Batch[], { job, concurrency }: { job: string; concurrency: number }): Promise<void> {
  const to = store;
  if (to === undefined) throw new MillraceError('failed_precondition', 'the store is not open');
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < batches.length; at = next++) {
      const { steps, trajectories } = batches[at]!;
      await to.insert('steps', steps!, `${job}-steps-${at}`);
      await to.insert('trajectories', trajectories!, `${job}-trajectories-${at}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
