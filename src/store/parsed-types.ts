import { literal } from './engine.ts';

/** By column, how an encoded row is read into it: a type, and the value of a row that ends before it. */
export type ParsedTypes = ReadonlyMap<string, string>;

/** The statement whose rows {@link parsedTypes} reads. */
export const typesOf = (table: string): string =>
  `SELECT name, type, default_kind, default_expression FROM system.columns WHERE database = currentDatabase() AND table = ${literal(table)} FORMAT JSONCompactEachRow`;

/**
 * What the columns of a table are parsed as: their own types, but texts for dictionaries. A parser looks up every single value of a
 * dictionary, also in arrays and maps; the insert makes one of a whole column of texts in a third of the time
 * (docs/adr/0077-dictionaries-are-made-of-whole-columns.md).
 */
export function parsedTypes(printed: string): ParsedTypes {
  const lines = printed.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [name, type, kind, expression] = JSON.parse(line) as [string, string, string, string];
      const parsed = type.replaceAll(/LowCardinality\((\w+)\)/g, '$1');
      return [name, kind === 'DEFAULT' ? `${parsed} DEFAULT ${expression}` : parsed];
    }),
  );
}

/** The columns of encoded rows, in their order, as a table function of the engine wants them. Ephemeral ones, which no catalogue lists, are texts. */
export function structureOf(types: ParsedTypes, columns: readonly string[]): string {
  return columns.map((column) => `${column} ${types.get(column) ?? 'String'}`).join(', ');
}
