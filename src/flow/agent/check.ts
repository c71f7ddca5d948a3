import { MillraceError } from '../../errors.ts';
import type { AgentDefinition, AgentTool } from './definition.ts';

const FUNCTIONS = ['load', 'messages', 'reward'] as const;
const OPTIONAL_FUNCTIONS = [
  ...(['id', 'splitKey', 'type', 'fromQuery', 'potential', 'bucket', 'observe'] as const),
  ...(['memory', 'rule', 'execute', 'verify', 'answer'] as const),
] as const;
const FIELDS: ReadonlySet<string> = new Set([
  ...FUNCTIONS,
  ...OPTIONAL_FUNCTIONS,
  ...['name', 'description', 'task', 'files', 'maxRewardCost', 'components', 'toolTimeoutMs'],
  ...['instructions', 'tools', 'maxTurns', 'tokenBudget'],
]);

/** Checks what only agents have; the rest is checked with the flow. `invalid_argument` with the field that is wrong. */
export function checkAgent(agent: AgentDefinition<any, any>): void {
  const name = typeof agent?.name === 'string' ? agent.name : '?';
  const wrong = (field: string, problem: string): never => {
    throw new MillraceError('invalid_argument', `agent '${name}': ${field} ${problem}`, { field });
  };
  if (typeof agent !== 'object' || agent === null) return wrong('agent', 'must be an object');
  for (const field of Object.keys(agent))
    if (!FIELDS.has(field)) wrong(field, `is not a field of an agent; known: ${[...FIELDS].join(', ')}`);
  for (const field of FUNCTIONS) if (typeof agent[field] !== 'function') wrong(field, 'must be a function');
  for (const field of OPTIONAL_FUNCTIONS)
    if (agent[field] !== undefined && typeof agent[field] !== 'function') wrong(field, 'must be a function or absent');
  if (!['string', 'function'].includes(typeof agent.instructions))
    wrong('instructions', 'must be a text, or a function of the task');
  const { maxTurns, tokenBudget } = agent;
  if (typeof maxTurns !== 'function' && !isCount(maxTurns))
    wrong('maxTurns', 'must be an integer of at least 1, or a function of the task');
  if (!isCount(tokenBudget)) wrong('tokenBudget', 'must be an integer of at least 1 (tokens), or absent');
  if (!Array.isArray(agent.tools)) return wrong('tools', 'must be a list of tools, [] for none');
  const names = new Set<unknown>();
  for (const [i, tool] of (agent.tools as (Partial<AgentTool<any>> | null)[]).entries()) {
    if (typeof tool !== 'object' || tool === null) return wrong(`tools[${i}]`, 'must be { name, description, input, run }');
    const { name: called, run } = tool;
    if (typeof called !== 'string') wrong(`tools[${i}].name`, 'must be a text');
    if (names.has(called)) wrong(`tools[${i}].name`, `repeats '${called}'`);
    names.add(called);
    if (typeof run !== 'function') wrong(`tools[${i}].run`, 'must be a function');
  }
}

function isCount(value: unknown): boolean {
  return value === undefined || (Number.isInteger(value) && (value as number) >= 1);
}
