/** The sign of Millrace. */
export function Mark(): preact.JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
      <rect width="16" height="16" rx="4" />
      <path d="M3 11V6l2.5 3L8 5l2.5 4L13 6v5" />
    </svg>
  );
}
