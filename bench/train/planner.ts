import type { JobRuntime } from '../../cluster/jobs/runtime.ts';
import { MillraceError } from '../../src/errors.ts';
import { plannerKind } from '../../src/policy/planner/kind.ts';
import type { PlannerSpec } from '../../src/policy/planner/spec.ts';

/** The specification of a job whose policy is a planner, the only kind that trainers beside the cluster know. */
export function plannerSpec({ kind, spec }: Pick<JobRuntime, 'kind' | 'spec'>): PlannerSpec {
  if (kind.name === plannerKind.name) return spec as PlannerSpec;
  throw new MillraceError('unimplemented', `this benchmark trains planners, not policies of kind "${kind.name}"`, {
    field: 'policy.kind',
  });
}
