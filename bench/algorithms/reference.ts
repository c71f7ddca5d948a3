/** The reference part of docs/algorithms.md, made from the schemas, so that page and code cannot differ. */
import type { z } from 'zod';
import { METHODS } from '../../src/algo/registry.ts';
import { markdownTable, settingTable, type Setting } from '../../src/config/reference.ts';

/** What the table stands between in docs/algorithms.md. */
export const OPTIONS_MARKER = 'options';

/** Every option of a method but its name, sections flattened, in the order of its schema. */
export function optionsOf(method: string): Setting[] {
  const schema = (METHODS as Readonly<Record<string, { schema: z.ZodType }>>)[method]!.schema;
  return settingTable(schema).filter(({ path }) => path !== 'name');
}

/**
 * One table of the options of all methods. Where methods differ in what they allow or in the default, the option has a row
 * for each; the last column names the methods of the row.
 */
export function optionsTable(): string {
  const rows = new Map<string, { option: Setting; methods: string[] }>();
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
    return [`\`${option.path}\``, option.standard, option.allowed, option.description, who];
  });
  return markdownTable(['option', 'default', 'allowed', 'what it does', 'methods'], lines);
}

/** Sections after the plain options, each with its own options together. */
function order(a: string, b: string): number {
  const depth = Number(a.includes('.')) - Number(b.includes('.'));
  const section = a.includes('.') && b.includes('.') ? a.split('.')[0]!.localeCompare(b.split('.')[0]!) : 0;
  return depth || section;
}
