/** The reference part of docs/algorithms.md, made from the schemas, so that page and code cannot differ. */
import { z } from 'zod';
import { METHODS } from '../../src/algo/registry.ts';

/** What the table stands between in docs/algorithms.md. */
export const OPTIONS_MARKER = 'options';

type Scalar = string | number | boolean;

/** What JSON schema says of one option. */
interface Node {
  type?: string;
  const?: Scalar;
  enum?: readonly Scalar[];
  anyOf?: readonly Node[];
  properties?: Readonly<Record<string, Node>>;
  default?: Scalar;
  description?: string;
  minimum?: number;
  maximum?: number;
}

/** An option of a method. */
export interface MethodOption {
  /** `correction.cap` */
  path: string;
  /** `0 to 1`, `sample, population, none`, `true, false` */
  allowed: string;
  /** As it is written in a job file; `–` when absent by default. */
  standard: string;
  description: string;
}

/** Every option of a method but its name, sections flattened, in the order of its schema. */
export function optionsOf(method: string): MethodOption[] {
  const schema = (METHODS as Readonly<Record<string, { schema: z.ZodType }>>)[method]!.schema;
  return flatten(z.toJSONSchema(schema, { io: 'input' }) as Node).filter(({ path }) => path !== 'name');
}

function flatten({ properties = {} }: Node, prefix = ''): MethodOption[] {
  return Object.entries(properties).flatMap(([name, node]) => {
    const path = `${prefix}${name}`;
    if (node.properties) return flatten(node, `${path}.`);
    const standard = node.default === undefined ? '–' : String(node.default);
    return [{ path, allowed: allowed(node), standard, description: node.description ?? '' }];
  });
}

function allowed(node: Node): string {
  if (node.anyOf) return node.anyOf.map(allowed).join(', ');
  if (node.enum) return node.enum.map(String).join(', ');
  if (node.const !== undefined) return String(node.const);
  if (node.type === 'boolean') return 'true, false';
  const { minimum = '', maximum = '' } = node;
  return `${minimum} to ${maximum}${node.type === 'integer' ? ', whole' : ''}`;
}

/**
 * One table of the options of all methods. Where methods differ in what they allow or in the default, the option has a row
 * for each; the last column names the methods of the row.
 */
export function optionsTable(): string {
  const rows = new Map<string, { option: MethodOption; methods: string[] }>();
  const methods = Object.keys(METHODS);
  for (const method of methods) {
    for (const option of optionsOf(method)) {
      const key = JSON.stringify(option);
      const row = rows.get(key);
      if (row) row.methods.push(method);
      else rows.set(key, { option, methods: [method] });
    }
  }
  const sorted = [...rows.values()].sort((a, b) => order(a.option.path, b.option.path));
  const lines = sorted.map(({ option, methods: own }) => {
    const who = own.length === methods.length ? 'all' : own.join(', ');
    return [`\`${option.path}\``, option.standard, option.allowed, option.description, who].map(cell);
  });
  return padded([['option', 'default', 'allowed', 'what it does', 'methods'], ...lines]);
}

/** Sections after the plain options, each with its own options together. */
function order(a: string, b: string): number {
  const depth = Number(a.includes('.')) - Number(b.includes('.'));
  const section = a.includes('.') && b.includes('.') ? a.split('.')[0]!.localeCompare(b.split('.')[0]!) : 0;
  return depth || section;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function padded(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
