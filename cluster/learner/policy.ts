import { MillraceError } from '../../src/errors.ts';
import type { PolicyLearner, PolicySpec } from '../../src/policy/kind.ts';
import { builtInKinds, type AnyPolicyKind } from '../../src/policy/registry.ts';
import type { NodeContext } from '../runtime/context.ts';

/**
 * The learning side of a job's policy. The job's flow is loaded here only where its policy kind is not a built-in one.
 */
export async function policyLearner(context: NodeContext, job: string, spec: PolicySpec): Promise<PolicyLearner> {
  const kind = builtInKinds.has(spec.kind) ? builtInKinds.of(spec) : await kindOfJob(context, job, spec);
  if (kind.load) await context.outside(kind.load(spec));
  return kind.learner(spec);
}

async function kindOfJob({ jobs, runtimes }: NodeContext, job: string, spec: PolicySpec): Promise<AnyPolicyKind> {
  const entry = await jobs.find(job);
  if (entry === undefined)
    throw new MillraceError('not_found', `there is no job ${job}, whose flow brings the policy kind "${spec.kind}"`);
  return (await runtimes.get(entry.record)).kinds.of(spec);
}
