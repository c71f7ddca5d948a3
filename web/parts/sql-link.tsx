import { hrefTo } from '../app/router.ts';

/** Opens the statement that a part of a view was asked with. */
export function SqlLink({ sql }: { sql: string }): preact.JSX.Element {
  return (
    <a class="sql-link" href={hrefTo(['sql'], { q: sql })}>
      SQL
    </a>
  );
}
