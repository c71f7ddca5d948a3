import { IN_WORDS } from '../algo/schema/issue-words.ts';
import type { z } from 'zod';
import type { FlowDefinition } from './define.ts';
import { describe } from './failure.ts';

/** Longest type of a task, in characters. */
export const MAX_TYPE = 64;

/** A task as the flow sees it, or what is wrong with it. */
export type CheckedTask<T> = { task: T } | { problem: string; field: string };

/** Checks a task against the flow's schema. The problem names the field and what is allowed there. */
export function checkTask<T>(flow: Pick<FlowDefinition<T, any>, 'task'>, raw: unknown): CheckedTask<T> {
  let parsed: ReturnType<typeof flow.task.safeParse>;
  try {
    parsed = flow.task.safeParse(raw, IN_WORDS);
  } catch (thrown) {
    // A transform or refinement of the flow's, or a task nested deeper than the schema can follow.
    return { problem: `the task schema: ${describe(thrown)}`, field: '' };
  }
  if (parsed.success) return { task: parsed.data };
  const issues = parsed.error.issues.slice(0, 3).map((issue) => describeIssue(issue, raw));
  const more = parsed.error.issues.length - issues.length;
  return {
    problem:
      issues.map(({ field, text }) => (field === '' ? text : `field ${field}: ${text}`)).join('; ') +
      (more > 0 ? `; and ${more} more` : ''),
    field: issues[0]?.field ?? '',
  };
}

/** {@link checkTask} of a task that travelled as JSON text. */
export function parseTask<T>(flow: Pick<FlowDefinition<T, any>, 'task'>, json: string): CheckedTask<T> {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}`, field: '' };
  }
  return checkTask(flow, raw);
}

function describeIssue(issue: z.core.$ZodIssue, raw: unknown): { field: string; text: string } {
  const field = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  const value = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part], raw);
  const shown = JSON.stringify(value) as string | undefined;
  if (shown === undefined) return { field, text: issue.message };
  return { field, text: `${issue.message} (got ${shown.length > 80 ? `${shown.slice(0, 79)}…` : shown})` };
}
