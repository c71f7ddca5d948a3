import { toJson } from '@bufbuild/protobuf';
import type { Evaluation, Job, JobNotice, JobProgress } from '../../src/gen/millrace/v1/admin_pb.ts';
import { JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import { accounting, checkLedger } from '../../src/jobs/ledger.ts';
import { budgetUseTable } from './budget-view.ts';
import { isOver } from './follow-job.ts';
import { percent } from '../../src/jobs/percent.ts';
import { ago, duration, figure, oneLine, timestamp } from './format.ts';
import { etaOf, progressOf, stateName } from './progress.ts';
import { fields, table } from './table.ts';

/** A job as JSON: the fields of admin.proto in lowerCamelCase, with `config` in place of its JSON text. */
export function jobJson(job: Job): Record<string, unknown> {
  const { configJson: _, ...rest } = toJson(JobSchema, job, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  return { ...rest, config: parsed(job.configJson) };
}

/** One line a job. */
export function jobTable(jobs: readonly Job[], now: number): string {
  const rows = jobs.map((job) => {
    const { round, rounds, reward, heldOutText } = progressOf(job);
    return [
      job.id,
      stateName(job.state),
      job.queuePosition === 0 ? '–' : String(job.queuePosition),
      `${round}/${rounds}`,
      reward === undefined ? '–' : reward.toFixed(2),
      heldOutText ?? '–',
      ago(job.createTime, now),
      job.error || job.unreadable || job.waitingFor,
    ];
  });
  const header = ['JOB', 'STATE', 'QUEUE', 'ROUND', 'REWARD', 'HELD OUT', 'CREATED', 'WAITING FOR / ERROR'];
  return table(header, rows, { right: [2, 3, 4, 5], maxCell: 80 });
}

/** Everything about one job, for people. */
export function describeJob(job: Job, now: number): string {
  const sections = [
    fields([
      ['job', job.id],
      ['state', stateName(job.state)],
      ['error', oneLine(job.error)],
      ['unreadable', oneLine(job.unreadable)],
      ['waiting for', oneLine(job.waitingFor)],
      ['queue', job.queuePosition === 0 ? '' : `place ${job.queuePosition}: ${job.queueReason}`],
      ['created', job.createTime ? `${timestamp(job.createTime)} (${ago(job.createTime, now)})` : ''],
      ['started', job.startTime ? timestamp(job.startTime) : ''],
      ['ended', job.endTime ? timestamp(job.endTime) : ''],
      ['owner', job.owner],
      ['priority', job.priority === 0 ? '' : String(job.priority)],
      ['weights from', job.forkedFrom === '' && job.evaluates === '' ? job.from : ''],
      ['goes on from', job.forkedFrom],
      ['measures', job.evaluates],
      ['checkpoint', job.checkpoint],
      ['best checkpoint', job.bestCheckpoint ? `${job.id}@${job.bestCheckpoint.version}` : ''],
      ['code', job.codeDigest],
    ]),
  ];
  if (job.budgets.length > 0) sections.push(`Budgets\n${indent(budgetUseTable(job.budgets))}`);
  if (job.notices.length > 0) sections.push(`Notices\n${indent(noticeTable(job, now))}`);
  if (job.progress)
    sections.push(`Progress\n${indent(progressFields(job, job.progress))}`, `Requests\n${indent(ledgerText(job.progress))}`);
  if (job.evaluations.length > 0) sections.push(`Evaluations on held-out tasks\n${indent(evaluationTable(job.evaluations))}`);
  return sections.join('\n');
}

/** Conditions of the job: what happened, how often, and whether it lasts. */
function noticeTable(job: Job, now: number): string {
  // No condition outlives its job.
  const lasting = isOver(job) ? 'until the end' : 'lasting';
  const state = ({ momentary, resolveTime }: JobNotice): string => {
    if (momentary) return 'happened';
    return resolveTime ? `over since ${ago(resolveTime, now)}` : lasting;
  };
  const rows = job.notices.map((notice) => {
    const { code, subject, message, count, lastTime } = notice;
    return [code, subject || '–', String(count), ago(lastTime, now), state(notice), message];
  });
  return table(['CODE', 'SUBJECT', 'COUNT', 'LAST', 'STATE', 'MESSAGE'], rows, { right: [2] });
}

function progressFields(job: Job, progress: JobProgress): string {
  const share = progress.roundsTotal > 0 ? ` (${percent(progress.round / progress.roundsTotal)})` : '';
  const statistics = Object.entries(progress.statistics).sort(([a], [b]) => (a < b ? -1 : 1));
  return fields([
    ['round', `${progress.round} of ${progress.roundsTotal}${share}`],
    ['reward', progress.reward === undefined ? '' : figure(progress.reward)],
    ['trajectories/s', figure(progress.trajectoriesPerSecond)],
    ['staleness', progress.staleness === undefined ? '' : `${figure(progress.staleness)} versions`],
    ['training time', duration(progress.trainSeconds)],
    ['ETA', etaText(job)],
    ['statistics', statistics.map(([name, value]) => `${name} ${figure(value)}`).join(', ')],
  ]);
}

/** How every training request ended, and whether the counts add up. */
function ledgerText({ ledger, requests }: JobProgress): string {
  if (!ledger) return fields([['requests', String(requests)]]);
  const counts = accounting(ledger, requests);
  const classes = Object.entries(counts.failedByClass).map(([name, count]) => `${oneLine(name)} ${count}`);
  const sum = `${counts.trained} trained + ${counts.filtered} filtered + ${counts.expired} expired + ${counts.failed} failed + ${counts.open} open`;
  return fields([
    ['requests', `${counts.requests} = ${sum}`],
    ['check', ledgerProblem({ ledger, requests }) ?? 'adds up'],
    ['failed', classes.join(', ')],
    ['unstored', counts.unstored > 0 ? `${counts.unstored}: used, and their rows are not in the trajectory store` : ''],
    ['trajectories', String(ledger.trajectories)],
    ['frontier', `${ledger.frontier}${ledger.endedBeyond.length > 0 ? `, and ${ledger.endedBeyond.length} beyond it` : ''}`],
  ]);
}

function ledgerProblem({ ledger, requests }: Pick<JobProgress, 'ledger' | 'requests'>): string | undefined {
  if (!ledger) return undefined;
  try {
    checkLedger(ledger, requests);
    return undefined;
  } catch (thrown) {
    return `WRONG: ${MillraceError.from(thrown).message}`;
  }
}

function evaluationTable(evaluations: readonly Evaluation[]): string {
  const rows = evaluations.map((evaluation) => {
    const { success, ci95, judged, notJudged, incomplete } = successRate(evaluation);
    const classes = Object.entries(evaluation.failures).map(([name, count]) => `${oneLine(name)} ${count}`);
    return [
      evaluation.name,
      String(evaluation.policyVersion),
      `${judged > 0 ? percent(success) : '–'}${incomplete ? ' incomplete' : ''}`,
      `${(ci95[0] * 100).toFixed(1)}–${(ci95[1] * 100).toFixed(1)} %`,
      `${evaluation.successes} of ${judged}`,
      `${notJudged}${classes.length > 0 ? ` (${classes.join(', ')})` : ''}`,
      figure(evaluation.meanReward),
      figure(evaluation.meanSteps),
      String(evaluation.trajectories),
      duration(evaluation.trainSeconds),
    ];
  });
  const header = [
    'PLANNER',
    'VERSION',
    'SUCCESS',
    '95 % INTERVAL',
    'SUCCESSES',
    'NOT JUDGED',
    'REWARD',
    'STEPS',
    'TRAJECTORIES',
    'TRAINING',
  ];
  return table(header, rows, { right: [1, 2, 3, 4, 5, 6, 7, 8, 9] });
}

function etaText(job: Job): string {
  if (job.state !== JobState.RUNNING) return '';
  const eta = etaOf(job);
  return eta === undefined ? 'unknown' : duration(eta);
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
