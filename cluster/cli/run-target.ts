import { MillraceError } from '../../src/errors.ts';
import type { FlowDefinition } from '../../src/flow/define.ts';
import { importDefault } from '../../src/flow/load.ts';
import { validateFlow } from '../../src/flow/validate.ts';
import type { Models } from '../../src/workflow/current-models.ts';
import { isWorkflow, type WorkflowDefinition } from '../../src/workflow/define-workflow.ts';
import { runFlow } from '../../src/workflow/run-flow.ts';
import { runWorkflow } from '../../src/workflow/run-workflow.ts';
import { isAbsolute, resolve } from 'node:path';

/** What a run shows while it goes on. */
export interface RunOptions {
  models: Models;
  signal: AbortSignal;
  temperature?: number | undefined;
  /** A line for each step. */
  onStep: (line: string) => void;
}

/** A flow or a workflow that can be run. */
export interface RunTarget {
  name: string;
  /** Makes a task of a text. */
  fromPrompt(prompt: string, index: number): unknown;
  run(task: unknown, options: RunOptions): Promise<{ answer: unknown; microDollars: number; tokens: number }>;
}

/** Loads the module of a flow or workflow. @throws MillraceError `not_found`, `invalid_argument` */
export async function loadTarget(path: string, cwd: string): Promise<RunTarget> {
  const file = isAbsolute(path) ? path : resolve(cwd, path);
  const example = 'export default defineFlow({ … }) or defineWorkflow({ … })';
  const loaded = await importDefault(file, { what: 'flow or workflow', field: '<flow>', example });
  return isWorkflow(loaded) ? workflowTarget(loaded) : flowTarget(validateFlow(loaded, file));
}

function workflowTarget(workflow: WorkflowDefinition<unknown>): RunTarget {
  return {
    name: workflow.name,
    fromPrompt: (prompt) => prompt,
    async run(input, { models, signal, onStep }) {
      const result = await runWorkflow(workflow, input, {
        ...{ models, signal },
        onStep: ({ name, result: made, ms, attempts }) =>
          onStep(`${name}${attempts > 1 ? ` (${attempts} tries)` : ''}, ${Math.round(ms)} ms: ${shown(made)}`),
      });
      return { answer: result.answer, ...totalsOf(result.models) };
    },
  };
}

function flowTarget(flow: FlowDefinition<unknown, unknown>): RunTarget {
  return {
    name: flow.name,
    fromPrompt(prompt, index) {
      if (flow.fromQuery !== undefined) return flow.fromQuery({ query: prompt, expected_outcome: null, index });
      throw new MillraceError(
        'invalid_argument',
        `flow '${flow.name}' makes no tasks of prompts (it has no fromQuery): give --task with a task of its schema`,
        { field: '--prompt' },
      );
    },
    async run(task, { models, signal, onStep, temperature }) {
      const result = await runFlow(flow, task, {
        ...{ models, signal },
        ...(temperature !== undefined && { temperature }),
        onStep: ({ step, tool, said, arguments: input, result: made, calls }) => {
          const call = tool === '' ? '' : `${tool} ${input} → ${shown(made)}${calls > 1 ? ` (and ${calls - 1} more)` : ''}`;
          onStep(`${step + 1}. ${[said, call].filter((part) => part !== '').join(' | ')}`);
        },
      });
      return { answer: result.answer, ...totalsOf(result.models) };
    },
  };
}

function totalsOf({ tokensIn, tokensOut, microDollars }: { tokensIn: number; tokensOut: number; microDollars: number }): {
  microDollars: number;
  tokens: number;
} {
  return { microDollars, tokens: tokensIn + tokensOut };
}

/** A value in one line. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : ((JSON.stringify(value) as string | undefined) ?? '');
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
