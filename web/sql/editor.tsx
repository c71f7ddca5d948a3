/** A field for a statement. Ctrl + Enter runs it. */
export function Editor({
  sql,
  busy,
  onChange,
  onRun,
}: {
  sql: string;
  busy: boolean;
  onChange: (sql: string) => void;
  onRun: () => void;
}): preact.JSX.Element {
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        onRun();
      }}
    >
      <label class="unseen" for="statement">
        Statement
      </label>
      <textarea
        id="statement"
        spellcheck={false}
        autocomplete="off"
        rows={Math.min(18, Math.max(5, sql.split('\n').length + 1))}
        value={sql}
        onInput={(event) => onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          onRun();
        }}
      />
      <div class="editor-foot">
        <button class="button primary" type="submit" disabled={busy || sql.trim() === ''}>
          Run
        </button>
        <span class="muted">Ctrl + Enter. The address of this page has the statement.</span>
      </div>
    </form>
  );
}
