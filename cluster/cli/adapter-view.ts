import { toJson } from '@bufbuild/protobuf';
import {
  AdapterSchema,
  AdapterStatus,
  ExperimentSchema,
  ExperimentState,
  type Adapter,
  type AdapterMetrics,
  type ArmCounts,
  type Experiment,
} from '../../src/gen/millrace/v1/adapters_pb.ts';
import { ago, timestamp } from './format.ts';
import { fields, table } from './table.ts';

/** A published policy as JSON: the fields of adapters.proto in lowerCamelCase. */
export const adapterJson = (adapter: Adapter): unknown => toJson(AdapterSchema, adapter, { alwaysEmitImplicit: true });

/** An experiment as JSON. */
export const experimentJson = (experiment: Experiment): unknown =>
  toJson(ExperimentSchema, experiment, { alwaysEmitImplicit: true });

const lower = (word: string): string => word.toLowerCase().replaceAll('_', ' ');

function rate(metrics: AdapterMetrics | undefined): string {
  if (metrics === undefined) return '-';
  const percent = (value: number): string => (100 * value).toFixed(1);
  const { success, low, high, tasks } = metrics;
  return `${percent(success)} % [${percent(low)}, ${percent(high)}] of ${tasks}`;
}

/** One line a policy. */
export function adapterTable(adapters: readonly Adapter[], now: number): string {
  const rows = adapters.map((adapter) => {
    const { agent, version, status, validation, test, parent, owner, publishTime } = adapter;
    const state = lower(AdapterStatus[status]);
    return [agent, version, state, rate(validation), rate(test), parent === '' ? '-' : parent, owner, ago(publishTime, now)];
  });
  return table(['AGENT', 'VERSION', 'STATUS', 'VALIDATION', 'TEST', 'PARENT', 'OWNER', 'PUBLISHED'], rows, { maxCell: 60 });
}

/** Everything about one policy, for people. */
export function describeAdapter(adapter: Adapter): string {
  const { agent, version, status, parent, owner, checkpointDigest, codeDigest, publishTime, updateTime } = adapter;
  return fields([
    ['agent', agent],
    ['version', version],
    ['status', lower(AdapterStatus[status])],
    ['validation', rate(adapter.validation)],
    ['test', rate(adapter.test)],
    ['starts from', parent === '' ? 'its seed' : parent],
    ['owner', owner],
    ['checkpoint', checkpointDigest],
    ['code', codeDigest],
    ['published', timestamp(publishTime)],
    ['updated', timestamp(updateTime)],
  ]);
}

const evidence = ({ evidence: e, threshold }: Experiment): string => `${e.toPrecision(4)} of ${Number(threshold.toPrecision(6))}`;

/** One line an experiment. */
export function experimentTable(experiments: readonly Experiment[], now: number): string {
  const rows = experiments.map((experiment) => {
    const { id, agent, champion, candidate, state, wins, losses, ties, createTime } = experiment;
    const counts = [wins, losses, ties].map(String);
    return [id, agent, champion, candidate, lower(ExperimentState[state]), ...counts, evidence(experiment), ago(createTime, now)];
  });
  const header = ['EXPERIMENT', 'AGENT', 'CHAMPION', 'CANDIDATE', 'STATE', 'WINS', 'LOSSES', 'TIES', 'EVIDENCE', 'CREATED'];
  return table(header, rows, { right: [5, 6, 7] });
}

function side(counts: ArmCounts | undefined): string {
  if (counts === undefined || counts.units === 0) return 'no rewards yet';
  return `mean reward ${Number(counts.meanReward.toPrecision(4))} of ${counts.units}`;
}

/** Everything about one experiment, for people. */
export function describeExperiment(experiment: Experiment): string {
  const { id, agent, champion, candidate, share, alpha, minPairs, maxPairs, owner, state, wins, losses, ties, decision } =
    experiment;
  return fields([
    ['experiment', id],
    ['agent', agent],
    ['state', lower(ExperimentState[state])],
    ['champion', `${champion}  ${side(experiment.championCounts)}`],
    ['candidate', `${candidate}  ${side(experiment.candidateCounts)}, share ${share}`],
    ['pairs', `${wins} won, ${losses} lost, ${ties} equal; decides from ${minPairs}, ends at ${maxPairs}`],
    ['evidence', `${evidence(experiment)} needed (alpha ${alpha})`],
    ['rewards within', `${Number(experiment.rewardWithin?.seconds ?? 0)} s`],
    ['owner', owner],
    ['created', timestamp(experiment.createTime)],
    ['ended', experiment.endTime ? timestamp(experiment.endTime) : ''],
    ['decision', decision ? `${decision.kind} by ${decision.by === 'rule' ? 'the rule' : 'a person'}: ${decision.reason}` : ''],
  ]);
}
