import type { ComponentChildren } from 'preact';
import type { Loaded } from './load.ts';

type Children = { children?: ComponentChildren };

/** A part of a view under a heading. */
export function Panel({
  title,
  note,
  actions,
  children,
}: Children & { title: string; note?: ComponentChildren; actions?: ComponentChildren }): preact.JSX.Element {
  return (
    <section class="panel" aria-label={title}>
      <div class="panel-head">
        <h2>{title}</h2>
        {note !== undefined && <p class="muted">{note}</p>}
        {actions !== undefined && <div class="panel-actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}

/** Says that there is nothing, and what would make something. */
export function Empty({ title, children }: Children & { title: string }): preact.JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p class="muted">{children}</p>}
    </div>
  );
}

/** Says what went wrong, and asks again. */
export function Problem({ message, again }: { message: string; again?: (() => void) | undefined }): preact.JSX.Element {
  return (
    <div class="problem" role="alert">
      <p>{message}</p>
      {again !== undefined && (
        <button class="button" type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What was asked for, once it is there. An answer stays on the page when a later question fails. */
export function WhenLoaded<T>({
  of,
  lines = 3,
  children,
}: {
  of: Loaded<T>;
  lines?: number;
  children: (data: T) => ComponentChildren;
}): preact.JSX.Element {
  const { data, error, again } = of;
  return (
    <>
      {error !== undefined && <Problem message={error.message} again={again} />}
      {data !== undefined && children(data)}
      {data === undefined && error === undefined && <Skeleton lines={lines} />}
    </>
  );
}

/** Keeps the place of what is coming. */
export function Skeleton({ lines }: { lines: number }): preact.JSX.Element {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

/** A figure with its name. */
export function Stat({ name, children, note }: Children & { name: string; note?: ComponentChildren }): preact.JSX.Element {
  return (
    <div class="stat">
      <dt>{name}</dt>
      <dd>
        {children}
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}

/** Figures side by side. */
export function Stats({ children }: Children): preact.JSX.Element {
  return <dl class="stats">{children}</dl>;
}
