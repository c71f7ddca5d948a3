import { useEffect, useRef } from 'preact/hooks';
import { link, type Link } from '../api/live.ts';
import { logOut, session } from '../api/session.ts';
import { Mark } from './mark.tsx';
import { hrefTo, place } from './router.ts';
import { nextTheme, theme } from './theme.ts';
import { SECTIONS, View } from './views.tsx';

const LINKS: Readonly<Record<Link, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Polling',
  lost: 'No connection',
};

/** Navigation and the view. */
export function Shell(): preact.JSX.Element {
  const { parts } = place.value;
  const main = useRef<HTMLElement>(null);
  const where = parts.join('/');
  const first = useRef(true);
  useEffect(() => {
    // Who listens to the page is taken to the new view.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [where]);
  return (
    <div class="shell">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to content
      </a>
      <Top parts={parts} />
      <main id="main" ref={main} tabIndex={-1}>
        <View parts={parts} />
      </main>
    </div>
  );
}

function Top({ parts }: { parts: readonly string[] }): preact.JSX.Element {
  return (
    <header class="top">
      <a class="brand" href="#/">
        <Mark />
        <span>Millrace</span>
      </a>
      <nav aria-label="Views">
        {SECTIONS.map(({ path, name }) => (
          <a key={path} href={hrefTo(path === '' ? [] : [path])} aria-current={(parts[0] ?? '') === path ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="top-end">
        <span class={`link link-${link.value}`} role="status">
          <span class="dot" aria-hidden="true" />
          {LINKS[link.value]}
        </span>
        <button
          class="button quiet"
          type="button"
          onClick={nextTheme}
          aria-label={`Colours: ${theme.value}`}
          title={`Colours: ${theme.value}`}
        >
          <ThemeIcon />
        </button>
        <button
          class="button quiet"
          type="button"
          onClick={() => void logOut()}
          title={`Logged in as ${session.value?.name ?? ''} (${session.value?.scopes.join(', ') ?? ''})`}
        >
          Log out
        </button>
      </div>
    </header>
  );
}

function ThemeIcon(): preact.JSX.Element {
  const shape = { system: 'M8 2.5v11a5.5 5.5 0 0 0 0-11Z', light: '', dark: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z' }[
    theme.value
  ];
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="5.5" />
      <path d={shape} />
    </svg>
  );
}
