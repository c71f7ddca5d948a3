import { fromBinary } from '@bufbuild/protobuf';
import type { WeightManifest } from '../../../src/gen/millrace/v1/weights_pb.ts';
import {
  Purpose,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../../../src/gen/millrace/v1/training_pb.ts';
import { WRITER_SCORED } from '../../../src/protocol/durables.ts';
import { EVENTS, JOBS, POLICIES, SCORED } from '../../../src/protocol/names.ts';
import { unpackRows } from '../../../src/records/pack.ts';
import { TABLES, type TableName } from '../../../src/records/tables.ts';
import { decodeManifest } from '../../../src/weights/manifest.ts';
import type { Observer } from '../observer.ts';
import type { Check } from './check.ts';

/** What of a job's record the invariants read. */
export interface RecordFacts {
  state: string;
  accepted: number;
  attempt: number;
  checkpoint?: string;
  checkpoints?: { version: number; digest: string }[];
  /** What somebody set for the job. */
  budget?: { dollars?: number };
  evaluations: { name: string; policyVersion: number }[];
  /** What is to be done after its end. */
  unsettled: string[];
}

/** A row of table `trajectories` as it was inserted. */
export interface StoredTrajectory {
  id: string;
  request: string;
  sequence: number;
  purpose: string;
  valid: boolean;
  reward: number;
}

/** What is known of a run from its messages and writes: what invariants compare. */
export class Facts implements Check {
  record: RecordFacts | undefined;
  manifest: WeightManifest | undefined;
  /** Scored training groups by the sequence of their request, in order of publication. */
  readonly scored = new Map<number, ScoredGroup[]>();
  /** All scored groups by their sequence in the stream, as it is now. */
  readonly scoredMessages = new Map<number, ScoredGroup>();
  /** Rows that were not stored may have been lost with SCORED or the writer's durable on it. */
  rowsLost = false;
  /** Groups by the id of their request, in order of publication. */
  readonly groups = new Map<string, TrajectoryGroup[]>();
  /** Rows by the id of the trajectory. */
  readonly trajectories = new Map<string, StoredTrajectory>();
  /** Events whose rows were not stored may have been lost with EVENTS. */
  eventsLost = false;
  /** Versions with a row of table `updates`. */
  readonly updates = new Set<number>();
  /** Evaluations with a row, e.g. `trained@3`. */
  readonly evaluations = new Set<string>();
  /** Requests with rows in the store. */
  readonly storedRequests = new Set<string>();

  published({ subject, data, sequence }: Parameters<Observer['published']>[0]): void {
    if (subject.startsWith('group.')) {
      const group = fromBinary(TrajectoryGroupSchema, data);
      append(this.groups, group.request!.id, group);
    } else if (subject.startsWith('scored.')) {
      const group = fromBinary(ScoredGroupSchema, data);
      this.scoredMessages.set(sequence, group);
      if (group.request!.purpose === Purpose.TRAIN) append(this.scored, Number(group.request!.sequence), group);
    }
  }

  lost({ stream, durable }: Parameters<Observer['lost']>[0]): void {
    if (stream === EVENTS) this.eventsLost = true;
    if (stream !== SCORED) return;
    if (durable === undefined) this.scoredMessages.clear();
    if (durable === undefined || durable === WRITER_SCORED.durable) this.rowsLost = true;
  }

  written({ bucket, key, value }: Parameters<Observer['written']>[0]): void {
    if (bucket === JOBS && value) this.record = JSON.parse(new TextDecoder().decode(value)) as RecordFacts;
    if (bucket === POLICIES && value) this.manifest = decodeManifest(value, key);
  }

  inserted(table: TableName, rows: Uint8Array): void {
    for (const of of rowsOf(table, rows)) {
      if (table === 'updates') this.updates.add(Number(of('version')));
      if (table === 'evaluations') this.evaluations.add(`${String(of('name'))}@${Number(of('policy_version'))}`);
      if (table === 'trajectories') this.#trajectory(of);
    }
  }

  #trajectory(of: Row): void {
    const request = String(of('request_id'));
    this.storedRequests.add(request);
    const id = String(of('trajectory_id'));
    this.trajectories.set(id, {
      id,
      request,
      sequence: Number(of('sequence')),
      purpose: String(of('purpose')),
      valid: of('valid') === true || of('valid') === 1,
      reward: Number(of('reward')),
    });
  }
}

/** The value of a column. */
export type Row = (column: string) => unknown;

/** Tables whose rows invariants read. */
const READ: ReadonlySet<TableName> = new Set(['trajectories', 'updates', 'evaluations', 'spending']);

/** Rows of the job of the run; none of tables that nobody reads. */
export function rowsOf(table: TableName, rows: Uint8Array): Row[] {
  if (!READ.has(table)) return [];
  const { columns } = TABLES[table];
  return Buffer.from(unpackRows(rows))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const row = JSON.parse(line) as unknown[];
      return (column: string) => row[columns.indexOf(column)];
    })
    .filter((of) => of('job') === 'job');
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
