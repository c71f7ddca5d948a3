import { fromBinary } from '@bufbuild/protobuf';
import type { WeightManifest } from '../../../src/gen/millrace/v1/weights_pb.ts';
import {
  Purpose,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../../../src/gen/millrace/v1/training_pb.ts';
import { JOBS, POLICIES } from '../../../src/protocol/names.ts';
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
  evaluations: { policyVersion: number }[];
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
  /** All scored groups by their sequence in the stream. */
  readonly scoredMessages = new Map<number, ScoredGroup>();
  /** Groups by the id of their request, in order of publication. */
  readonly groups = new Map<string, TrajectoryGroup[]>();
  /** Rows by the id of the trajectory. */
  readonly trajectories = new Map<string, StoredTrajectory>();
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

  written({ bucket, key, value }: Parameters<Observer['written']>[0]): void {
    if (bucket === JOBS && value) this.record = JSON.parse(new TextDecoder().decode(value)) as RecordFacts;
    if (bucket === POLICIES && value) this.manifest = decodeManifest(value, key);
  }

  inserted(table: TableName, rows: Uint8Array): void {
    if (table !== 'trajectories') return;
    for (const line of Buffer.from(unpackRows(rows)).toString('utf8').split('\n')) {
      if (line === '') continue;
      const row = JSON.parse(line) as unknown[];
      const of = (column: string): unknown => row[TABLES.trajectories.columns.indexOf(column)];
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
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
