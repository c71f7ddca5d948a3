import type { ComponentChildren } from 'preact';

/** A column: how its cells are made of an entry. */
export interface Column<T> {
  name: string;
  cell: (entry: T) => ComponentChildren;
  /** Figures stand at the right. */
  right?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
  /** Names the entry: the header of its row. */
  head?: boolean;
}

/** A table that scrolls by itself where it is wider than the screen. */
export function Table<T>({
  label,
  columns,
  entries,
  keyOf,
}: {
  label: string;
  columns: readonly Column<T>[];
  entries: readonly T[];
  keyOf: (entry: T, at: number) => string;
}): preact.JSX.Element {
  const classOf = ({ right, wide }: Column<T>): string => `${right ? 'right ' : ''}${wide ? 'wide' : ''}`.trim();
  return (
    <div class="table-frame" role="region" aria-label={`${label}, table`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" class={classOf(column)}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry, at) => (
            <tr key={keyOf(entry, at)}>
              {columns.map((column) =>
                column.head ? (
                  <th key={column.name} scope="row" class={classOf(column)}>
                    {column.cell(entry)}
                  </th>
                ) : (
                  <td key={column.name} class={classOf(column)}>
                    {column.cell(entry)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
