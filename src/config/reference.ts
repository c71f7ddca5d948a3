/** Tables of settings for the docs, made from the schemas, so that page and code cannot differ. */
import { z } from 'zod';

type Scalar = string | number | boolean;

/** What JSON schema says of one setting. */
interface Node {
  type?: string;
  const?: Scalar;
  enum?: readonly Scalar[];
  anyOf?: readonly Node[];
  oneOf?: readonly Node[];
  items?: Node;
  additionalProperties?: boolean | Node;
  properties?: Readonly<Record<string, Node>>;
  required?: readonly string[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
}

/** One setting of a schema. */
export interface Setting {
  /** `correction.cap`; `reward.components[].name` in a list. */
  path: string;
  /** `0 to 1`, `sample, population, none`, `true, false` */
  allowed: string;
  /** As it is written in a file; `required`, `with <section>` (required in it), or `–` when absent by default. */
  standard: string;
  description: string;
}

/** Every setting of a schema, sections flattened, in its order. Sections of which one is chosen by name are left out, unless others may be added. */
export function settingTable(schema: z.ZodType): Setting[] {
  return flatten(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node);
}

/** @param section - one that may be left out as a whole: what it must have is required with it */
function flatten({ properties = {}, required = [] }: Node, prefix = '', section?: string): Setting[] {
  return Object.entries(properties).flatMap(([name, node]) => {
    const path = `${prefix}${name}`;
    const isLeftOut = node.default === undefined && !required.includes(name);
    if (node.properties) return flatten(node, `${path}.`, isLeftOut ? path : section);
    // Of sections to choose from, the first stands for those that are open to further ones.
    const [first, ...others] = node.oneOf ?? [];
    if (first && others.some(({ additionalProperties }) => additionalProperties !== false)) return flatten(first, `${path}.`);
    if (first) return [];
    const needed = section === undefined ? 'required' : `with ${section}`;
    const standard = required.includes(name) ? needed : node.default === undefined ? '–' : written(node.default);
    const own = { path, allowed: allowed(node), standard, description: node.description ?? '' };
    return [own, ...(node.items?.properties ? flatten(node.items, `${path}[].`) : [])];
  });
}

const written = (value: unknown): string => (typeof value === 'string' && value !== '' ? value : JSON.stringify(value));

function allowed(node: Node): string {
  if (node.anyOf) return node.anyOf.map(allowed).join(', ');
  if (node.enum) return node.enum.map(String).join(', ');
  if (node.const !== undefined) return String(node.const);
  if (node.type === 'boolean') return 'true, false';
  if (node.type === 'string') return 'text';
  if (node.type === 'array') return 'a list';
  if (node.type === 'object') return 'a section';
  const { minimum = '', maximum = '' } = node;
  return `${minimum} to ${maximum}${node.type === 'integer' ? ', whole' : ''}`;
}

/** A Markdown table of the settings of a schema. */
export function settingsTable(schema: z.ZodType): string {
  const rows = settingTable(schema).map(({ path, standard, allowed: values, description }) => [
    `\`${path}\``,
    standard,
    values,
    description,
  ]);
  return markdownTable(['key', 'default', 'allowed', 'what'], rows);
}

/** A Markdown table, padded as prettier does it. */
export function markdownTable(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = [head, ...body].map((row) => row.map((text) => text.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(rows[0]!), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)].join('\n');
}
