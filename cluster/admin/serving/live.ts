import { MillraceError } from '../../../src/errors.ts';
import { liveAdapter, type Adapter } from '../../../src/jobs/adapters/registry.ts';
import type { AgentRecord } from '../../jobs/agents.ts';

/** What is served, or `failed_precondition`. */
export function liveOf(agent: AgentRecord): Adapter {
  const live = liveAdapter(agent);
  if (live !== undefined) return live;
  const message = `Agent "${agent.name}" has no live policy; \`millrace adapter publish ${agent.name} JOB\` publishes one of a job.`;
  throw new MillraceError('failed_precondition', message, { field: 'agent' });
}

/** The record with the name of what is served where others look for it. */
export const served = (agent: AgentRecord): AgentRecord => ({ ...agent, servedVersion: liveAdapter(agent)?.name ?? '' });
