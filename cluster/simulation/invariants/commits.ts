import type { WeightManifest } from '../../../src/gen/millrace/v1/weights_pb.ts';
import { FailureClass } from '../../../src/gen/millrace/v1/flow_pb.ts';
import { Verdict, type Ledger, type ScoredGroup } from '../../../src/gen/millrace/v1/training_pb.ts';
import { checkLedger, endedCount, hasEnded } from '../../../src/jobs/ledger.ts';
import { isEnded } from '../../../src/jobs/state.ts';
import { LEASES, POLICIES } from '../../../src/protocol/names.ts';
import { decodeManifest } from '../../../src/weights/manifest.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** η and B of the job. */
export interface RoundBounds {
  maxStaleness: number;
  groupsPerRound: number;
}

/**
 * What a commit may be: versions only grow, one commit a version, by one writer (a later one has a greater fencing token); the ledger
 * adds up, only grows, and counts each request once; a round has B groups, none older than η versions (promises 1 and 3).
 */
export function commitChecks(facts: Facts, bounds: RoundBounds, fail: Fail): Check {
  let last: WeightManifest | undefined;
  let leasesLost = false;
  return {
    lost({ stream }) {
      // The tokens of another bucket begin anew.
      if (stream === LEASES) leasesLost = true;
    },
    written({ bucket, key, value }) {
      if (bucket !== POLICIES || value === undefined) return;
      const manifest = decodeManifest(value, key);
      const before = last;
      last = manifest;
      const { ledger } = manifest;
      if (ledger === undefined) return fail('ledger-adds-up', `version ${manifest.version} has no ledger`);
      try {
        checkLedger(ledger, facts.record?.accepted ?? 0);
      } catch (thrown) {
        return fail('ledger-adds-up', `version ${manifest.version}: ${(thrown as Error).message}`);
      }
      if (!before) {
        if (manifest.version !== 0) fail('versions-grow', `the first version is ${manifest.version}`);
        return;
      }
      const problem =
        order(before, manifest, leasesLost) ??
        growth(before.ledger!, ledger) ??
        (facts.record && !isEnded(facts.record.state as 'RUNNING') ? round(before, manifest, { facts, bounds }) : undefined);
      if (problem) fail(problem.invariant, `version ${before.version} to ${manifest.version}: ${problem.message}`);
    },
  };
}

type Problem = { invariant: string; message: string } | undefined;

function order(before: WeightManifest, after: WeightManifest, leasesLost: boolean): Problem {
  if (after.version !== before.version && after.version !== before.version + 1)
    return { invariant: 'versions-grow', message: `version ${after.version} follows ${before.version}` };
  if (after.fence < before.fence && !leasesLost)
    return { invariant: 'one-writer', message: `the holder of lease ${after.fence} commits after that of ${before.fence}` };
  const sum = ({ weights }: WeightManifest): string => Buffer.from(weights!.sha256).toString('hex');
  if (after.version === before.version && sum(after) !== sum(before))
    return { invariant: 'one-commit-a-version', message: `version ${after.version} is committed with other weights` };
  return undefined;
}

function growth(before: Ledger, after: Ledger): Problem {
  const invariant = 'ledger-grows';
  for (const name of ['trained', 'filtered', 'expired', 'failed', 'trajectories', 'frontier'] as const)
    if (after[name] < before[name]) return { invariant, message: `${name} falls from ${before[name]} to ${after[name]}` };
  for (const s of before.endedBeyond)
    if (!hasEnded(after, s)) return { invariant, message: `request ${s} had ended and is open again` };
  return undefined;
}

/** What ended between two commits, against the groups that were scored. */
function round(before: WeightManifest, after: WeightManifest, { facts, bounds }: { facts: Facts; bounds: RoundBounds }): Problem {
  const [old, now] = [before.ledger!, after.ledger!];
  const ended = newlyEnded(old, now);
  const scored = ended.map((sequence) => facts.scored.get(sequence) ?? []);
  const delta = (name: 'trained' | 'filtered' | 'expired' | 'failed' | 'trajectories'): number => Number(now[name] - old[name]);
  const nobody = ended.find((_, i) => scored[i]!.length === 0);
  if (nobody !== undefined && delta('failed') === 0)
    return { invariant: 'ended-was-scored', message: `request ${nobody} has ended, and no group of it was scored` };
  const fresh = ({ policyVersion }: ScoredGroup): boolean => before.version - policyVersion <= bounds.maxStaleness;
  const withVerdict = (verdict: Verdict, also: (group: ScoredGroup) => boolean = () => true): number =>
    scored.filter((groups) => groups.some((group) => group.verdict === verdict && also(group))).length;
  const usable = withVerdict(Verdict.SIGNAL, fresh);
  if (delta('trained') > usable)
    return {
      invariant: 'staleness-bound',
      message: `${delta('trained')} groups are trained, ${usable} have a signal and are at most ${bounds.maxStaleness} versions behind`,
    };
  const lacking = withVerdict(Verdict.NO_SIGNAL, fresh);
  if (delta('filtered') > lacking)
    return {
      invariant: 'filtered-has-no-signal',
      message: `${delta('filtered')} groups are filtered, ${lacking} have no signal`,
    };
  if (delta('failed') > withVerdict(Verdict.FAILED) + scored.filter(({ length }) => length === 0).length)
    return {
      invariant: 'failed-has-failed',
      message: `${delta('failed')} groups have failed, ${withVerdict(Verdict.FAILED)} were scored so`,
    };
  if (after.version > before.version && delta('trained') + delta('filtered') > bounds.groupsPerRound + lacking)
    return { invariant: 'round-size', message: `${delta('trained')} groups are trained in a round of ${bounds.groupsPerRound}` };
  const counting = (group: ScoredGroup): boolean => group.verdict !== Verdict.FAILED && fresh(group);
  const most = scored.reduce((sum, groups) => sum + Math.max(0, ...groups.filter(counting).map(validMembers)), 0);
  if (delta('trajectories') > most)
    return {
      invariant: 'trajectories-count',
      message: `${delta('trajectories')} trajectories are counted, ${most} have a valid score`,
    };
  const classes = new Set(scored.flat().map(({ failure }) => FailureClass[failure] ?? ''));
  const strange = Object.keys(now.failedByClass).find(
    (name) => now.failedByClass[name]! > (old.failedByClass[name] ?? 0n) && !classes.has(name) && nobody === undefined,
  );
  if (strange !== undefined)
    return {
      invariant: 'failed-has-its-class',
      message: `a request is counted as ${strange}; groups say ${[...classes].join(', ')}`,
    };
  return undefined;
}

function validMembers({ scores }: ScoredGroup): number {
  return scores.filter(({ valid }) => valid).length;
}

/** Requests that have ended in the second ledger and not in the first. */
export function newlyEnded(before: Ledger, after: Ledger): number[] {
  const last = Math.max(Number(after.frontier), ...after.endedBeyond.map((s) => Number(s) + 1));
  const ended: number[] = [];
  for (let s = Number(before.frontier); s < last; s += 1) if (hasEnded(after, s) && !hasEnded(before, s)) ended.push(s);
  if (ended.length !== endedCount(after) - endedCount(before)) return ended;
  return ended;
}
