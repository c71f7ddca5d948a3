import { NOTHING_TO_DECIDE, POLICY_COLLAPSED } from '../../src/jobs/collapse.ts';
import type { Evaluation, Job, Node } from '../../src/gen/millrace/v1/admin_pb.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import type { Assumptions } from './value.ts';
import { successRate, rateText, type SuccessRate } from '../../src/jobs/success-rate.ts';

/** What one planner reached on the held-out tasks. */
export interface Measured extends Omit<SuccessRate, 'success'> {
  /** Success rate of the flows that were judged; null when none was. */
  success: number | null;
  /** The rate and, where flows were not judged, what it is a rate of. */
  text: string;
}

/** The planners a trained one is compared with. `oracle`, a key of the report's JSON, is the flow's rule planner. */
type Baseline = 'doNothing' | 'random' | 'untrained' | 'oracle';

/** What a process of the cluster used. */
export interface ProcessUse {
  role: string;
  peakRssBytes: number;
  cpuSeconds: number;
}

/** The result of a training run; what `--report` writes. */
export interface TrainingReport {
  job: string;
  state: string;
  /** Success on the held-out tasks by planner, of the flows that were judged; null where nothing was measured. */
  heldOut: {
    tasks: number;
    doNothing: number | null;
    random: number | null;
    untrained: number | null;
    oracle: number | null;
    trained: Measured | null;
    /** What the rates of the other planners are rates of. */
    baselines: Record<Baseline, Measured | null>;
    /** More than 2 % of the flows of one of these planners were not judged. */
    incomplete: boolean;
  };
  /** The version that was best on the validation tasks against the untrained policy, where possible on the test tasks. */
  outcome: Outcome;
  /** Trajectories trained on or filtered. */
  trajectories: number;
  /** Seconds from the first training request to the last commit, pauses left out. */
  trainSeconds: number;
  /** Seconds of the whole command: start, baselines, training, evaluations, report. */
  totalSeconds: number;
  trajectoriesPerSecond: number;
  /** Held-out success of the trained planner along the way. */
  curve: ({ trajectories: number; seconds: number } & Pick<Measured, 'success' | 'judged' | 'notJudged' | 'incomplete'>)[];
  /** Whether the policy collapsed while it was trained, or had nothing to decide: the newest notice of that; null when there was none. */
  collapse: { code: string; message: string; lasting: boolean } | null;
  accounting: { requests: number; trained: number; filtered: number; expired: number; failed: number };
  processes: ProcessUse[];
  /** Folder of the newest checkpoint. */
  checkpoint: string;
}

/** What {@link buildReport} puts together. */
export interface ReportInput {
  job: Job;
  state: string;
  processes: ProcessUse[];
  totalSeconds: number;
  /** What the use of the policy is worth. Default: nothing is said of that. */
  assumptions?: Assumptions | undefined;
}

/** The report of a job that has ended. */
export function buildReport({ job, state, processes, totalSeconds, assumptions }: ReportInput): TrainingReport {
  const { evaluations, progress } = job;
  const named = (name: string): Evaluation | undefined => evaluations.find((evaluation) => evaluation.name === name);
  const baseline = (name: string): Measured | null => {
    const found = named(name);
    return found ? measured(found) : null;
  };
  const baselines = {
    doNothing: baseline('do-nothing'),
    random: baseline('random'),
    untrained: baseline('untrained'),
    oracle: baseline('rule'),
  };
  const trained = evaluations
    .filter((evaluation) => evaluation.name === 'trained')
    .sort((a, b) => a.policyVersion - b.policyVersion);
  const last = trained.at(-1);
  const first = named('untrained');
  const ledger = progress?.ledger;
  const trajectories = Number(ledger?.trajectories ?? 0n);
  const trainSeconds = progress?.trainSeconds ?? 0;
  return {
    job: job.id,
    state,
    heldOut: {
      tasks: (last ?? first)?.tasks ?? 0,
      doNothing: baselines.doNothing?.success ?? null,
      random: baselines.random?.success ?? null,
      untrained: baselines.untrained?.success ?? null,
      oracle: baselines.oracle?.success ?? null,
      trained: last ? measured(last) : null,
      baselines,
      incomplete: [last, ...Object.values(baselines)].some((one) => one?.incomplete === true),
    },
    outcome: outcomeOf(job, assumptions),
    trajectories,
    trainSeconds,
    totalSeconds,
    trajectoriesPerSecond: trainSeconds > 0 ? trajectories / trainSeconds : 0,
    curve: [...(first ? [first] : []), ...trained].map((evaluation) => {
      const { success, judged, notJudged, incomplete } = measured(evaluation);
      const { trajectories: until, trainSeconds: seconds } = evaluation;
      return { trajectories: Number(until), seconds, success, judged, notJudged, incomplete };
    }),
    collapse: collapseOf(job),
    accounting: {
      requests: Number(progress?.requests ?? 0n),
      trained: Number(ledger?.trained ?? 0n),
      filtered: Number(ledger?.filtered ?? 0n),
      expired: Number(ledger?.expired ?? 0n),
      failed: Number(ledger?.failed ?? 0n),
    },
    processes,
    checkpoint: job.checkpoint,
  };
}

function measured(evaluation: Evaluation): Measured {
  const judgement = successRate(evaluation);
  return { ...judgement, success: judgement.judged > 0 ? judgement.success : null, text: rateText(evaluation) };
}

function collapseOf({ notices }: Job): TrainingReport['collapse'] {
  const found = notices.find(({ code }) => code === POLICY_COLLAPSED || code === NOTHING_TO_DECIDE);
  return found ? { code: found.code, message: found.message, lasting: found.resolveTime === undefined } : null;
}

/** Peak memory and processor time of the nodes. */
export function processUse(nodes: readonly Node[]): ProcessUse[] {
  return nodes.map((node) => ({
    role: node.roles.join('+'),
    peakRssBytes: Number(node.peakRssBytes),
    cpuSeconds: node.cpuSeconds,
  }));
}
