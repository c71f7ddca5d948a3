import { isAbsolute } from 'node:path';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from './define.ts';
import { isWellFormed } from './json.ts';

/** Names of flows, tools and features: they become column values, metric labels and parts of messages. */
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const FUNCTIONS = ['load', 'remember', 'plan', 'verify', 'answer', 'reward'] as const;
const OPTIONAL_FUNCTIONS = [
  ...(['id', 'splitKey', 'type', 'maxSteps', 'rule', 'writingRule'] as const),
  ...(['potential', 'bucket', 'observe', 'fromQuery'] as const),
] as const;
const FIELDS: ReadonlySet<string> = new Set([
  ...FUNCTIONS,
  ...OPTIONAL_FUNCTIONS,
  ...['name', 'description', 'task', 'tools', 'features', 'toolTimeoutMs', 'components', 'files', 'maxRewardCost', 'calls'],
]);

/**
 * Checks that a value is a flow and returns it. `invalid_argument` with the field that is wrong.
 * @param origin what the value is called in messages, e.g. the module's path.
 */
export function validateFlow(value: unknown, origin = 'flow'): FlowDefinition<unknown, unknown> {
  const wrong = (field: string, problem: string): never => {
    throw new MillraceError('invalid_argument', `${origin}: ${field} ${problem}`, { field });
  };
  if (!isObject(value)) return wrong('flow', `must be an object made with defineFlow, got ${show(value)}`);
  const name = value['name'];
  if (typeof name !== 'string' || !NAME.test(name)) wrong('name', `must be a name (${nameRule}), got ${show(name)}`);
  if (!isSchema(value['task'])) wrong('task', 'must be a zod schema of a task, e.g. z.object({ id: z.string() })');
  for (const field of FUNCTIONS)
    if (typeof value[field] !== 'function') wrong(field, `must be a function, got ${show(value[field])}`);
  for (const field of OPTIONAL_FUNCTIONS)
    if (value[field] !== undefined && typeof value[field] !== 'function')
      wrong(field, `must be a function or absent, got ${show(value[field])}`);
  for (const field of Object.keys(value))
    if (!FIELDS.has(field)) wrong(field, `is not a field of a flow; known: ${[...FIELDS].join(', ')}`);
  checkTimeout(value['toolTimeoutMs'], 'toolTimeoutMs', wrong);
  checkCost(value['maxRewardCost'], 'maxRewardCost', wrong);
  const { calls } = value;
  if (calls !== undefined && calls !== 'one' && calls !== 'any') wrong('calls', `must be 'one' or 'any', got ${show(calls)}`);
  checkTools(value['tools'], calls === 'any', wrong);
  checkFeatures(value['features'], wrong);
  if (value['components'] !== undefined) checkNames(value['components'], 'components', wrong);
  if (value['files'] !== undefined) checkFiles(value['files'], wrong);
  return value as unknown as FlowDefinition<unknown, unknown>;
}

type Wrong = (field: string, problem: string) => never;

function checkTools(tools: unknown, mayBeNone: boolean, wrong: Wrong): void {
  if (!isObject(tools) || (Object.keys(tools).length === 0 && !mayBeNone))
    return wrong('tools', 'must be an object with at least one tool');
  for (const [name, tool] of Object.entries(tools)) {
    const field = `tools.${name}`;
    if (!NAME.test(name)) wrong(field, `must be called by a name (${nameRule})`);
    if (!isObject(tool)) return wrong(field, `must be a tool made with defineTool, got ${show(tool)}`);
    if (typeof tool['description'] !== 'string' || tool['description'] === '')
      wrong(`${field}.description`, 'must be a sentence on what the tool does');
    if (!isSchema(tool['input'])) wrong(`${field}.input`, 'must be a zod schema of what the tool takes');
    const pointers = tool['pointers'];
    if (pointers !== undefined && pointers !== 0 && pointers !== 1 && pointers !== 2)
      wrong(`${field}.pointers`, `must be 0, 1 or 2, got ${show(pointers)}`);
    for (const part of ['arguments', 'run'] as const)
      if (typeof tool[part] !== 'function') wrong(`${field}.${part}`, `must be a function, got ${show(tool[part])}`);
    checkTimeout(tool['timeoutMs'], `${field}.timeoutMs`, wrong);
    checkCost(tool['maxCost'], `${field}.maxCost`, wrong);
    const onTimeout = tool['onTimeout'];
    if (onTimeout !== undefined && onTimeout !== 'error' && onTimeout !== 'fail')
      wrong(`${field}.onTimeout`, `must be 'error' or 'fail', got ${show(onTimeout)}`);
  }
}

function checkCost(cost: unknown, field: string, wrong: Wrong): void {
  if (cost === undefined || (typeof cost === 'number' && cost >= 0 && cost <= 1_000_000)) return;
  wrong(field, `must be US dollars between 0 and 1000000, got ${show(cost)}`);
}

function checkFeatures(features: unknown, wrong: Wrong): void {
  if (!isObject(features)) return wrong('features', 'must be an object, e.g. { state: ["urgent"] }; {} when there are none');
  for (const [kind, names] of Object.entries(features)) {
    const field = `features.${kind}`;
    if (!['state', 'item', 'action'].includes(kind)) wrong(field, 'is unknown; features are of state, item or action');
    if (names === undefined) continue;
    checkNames(names, field, wrong);
  }
}

function checkNames(names: unknown, field: string, wrong: Wrong): void {
  if (!Array.isArray(names)) return wrong(field, `must be a list of names, got ${show(names)}`);
  names.forEach((name: unknown, i) => {
    if (typeof name !== 'string' || name === '' || !isWellFormed(name))
      wrong(`${field}[${i}]`, `must be a name of well-formed Unicode, got ${show(name)}`);
    if (names.indexOf(name) !== i) wrong(`${field}[${i}]`, `repeats ${show(name)}`);
  });
}

function checkFiles(files: unknown, wrong: Wrong): void {
  if (!Array.isArray(files)) return wrong('files', `must be a list of paths, got ${show(files)}`);
  files.forEach((path: unknown, i) => {
    if (typeof path !== 'string' || path === '' || isAbsolute(path))
      wrong(`files[${i}]`, `must be a path relative to the module of the flow, got ${show(path)}`);
  });
}

function checkTimeout(value: unknown, field: string, wrong: Wrong): void {
  if (value !== undefined && !(typeof value === 'number' && value > 0 && value <= 3_600_000))
    wrong(field, `must be milliseconds between 1 and 3600000, got ${show(value)}`);
}

const nameRule = 'a letter, then letters, digits, "_", "-" or ".", at most 64';

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSchema(value: unknown): boolean {
  return typeof (value as { safeParse?: unknown } | null | undefined)?.safeParse === 'function';
}

function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const text = (JSON.stringify(value) as string | undefined) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
