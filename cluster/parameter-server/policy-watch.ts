import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import {
  CollapseWatch,
  NOTHING_TO_DECIDE,
  POLICY_COLLAPSED,
  RECOVERY_ROUNDS,
  type RoundDecisions,
} from '../../src/jobs/collapse.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Rounds without a single choice after which a job says that there is nothing to decide. */
const NOTHING_ROUNDS = 3;

/** Looks at every round of a job for what makes training pointless, and reports it as a notice while it lasts. */
export class PolicyWatch {
  readonly #notices: NodeContext['notices'];
  readonly #collapse = new CollapseWatch();
  #rounds = 0;
  #withoutChoice = 0;
  #collapsed = false;

  constructor({ notices }: Pick<NodeContext, 'notices'>) {
    this.#notices = notices;
  }

  /** Takes the groups that made a version. Reports are on their way when it returns. */
  add(record: JobRecord, groups: readonly ScoredGroup[], version: number): void {
    const round = roundDecisions(groups);
    if (round === undefined) return;
    this.#rounds += 1;
    this.#lookForChoices(record.id, round);
    const rule = record.evaluations.find(({ name }) => name === 'rule');
    const collapse = this.#collapse.add(round, rule && successRate(rule).success);
    if (collapse !== undefined && !this.#collapsed) {
      const signs = `for ${collapse.rounds} rounds ${collapse.signs.join(', ')}`;
      const message = `the policy has collapsed by version ${version}: ${signs}. ${ADVICE}`;
      void this.#notices.report(record.id, { code: POLICY_COLLAPSED, message });
    } else if (collapse === undefined && (this.#collapsed || this.#rounds === RECOVERY_ROUNDS)) {
      // The second: a parameter server before this one may have reported it.
      void this.#notices.resolve(record.id, POLICY_COLLAPSED);
    }
    this.#collapsed = collapse !== undefined;
  }

  #lookForChoices(job: string, { choices }: RoundDecisions): void {
    if (choices > 0) {
      if (this.#withoutChoice >= NOTHING_ROUNDS || this.#rounds === 1) void this.#notices.resolve(job, NOTHING_TO_DECIDE);
      this.#withoutChoice = 0;
      return;
    }
    this.#withoutChoice += 1;
    if (this.#withoutChoice !== NOTHING_ROUNDS) return;
    const message =
      `in ${NOTHING_ROUNDS} rounds no step had more than one open action: there is nothing to decide, so nothing to learn. ` +
      'Let `plan` open all that the policy is to choose from';
    void this.#notices.report(job, { code: NOTHING_TO_DECIDE, message });
  }
}

const ADVICE =
  'Lower optimizer.learningRate, raise algorithm.entropy or turn on exploration, and start again from an earlier checkpoint (--from)';

/** What the groups of a round say together; undefined when none says anything. */
function roundDecisions(groups: readonly ScoredGroup[]): RoundDecisions | undefined {
  const decisions = groups.flatMap(({ decisions: one }) => (one ? [one] : []));
  const scores = groups.flatMap((group) => group.scores.filter(({ valid }) => valid));
  if (decisions.length === 0 || scores.length === 0) return undefined;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const choices = sum(decisions.map((one) => one.choices));
  const tools = (decisions[0]?.tools ?? []).map((_, tool) => sum(decisions.map((one) => one.tools[tool] ?? 0)));
  const used = sum(tools);
  return {
    choices,
    entropy: choices === 0 ? 0 : sum(decisions.map((one) => one.relativeEntropy)) / choices,
    toolShare: used === 0 ? 0 : Math.max(...tools) / used,
    success: scores.filter(({ success }) => success).length / scores.length,
    steps: sum(scores.map(({ steps }) => steps)) / scores.length,
    fewestSteps: scores.reduce((least, { steps }) => Math.min(least, steps), Infinity),
  };
}
