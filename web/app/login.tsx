import { useEffect, useState } from 'preact/hooks';
import { logIn } from '../api/session.ts';
import { Mark } from './mark.tsx';
import { replaceAddress } from './router.ts';

/** Logs in with the ticket of a link, or asks for a token. */
export function Login({ ticket }: { ticket: string | undefined }): preact.JSX.Element {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(ticket !== undefined);
  const [problem, setProblem] = useState('');
  const attempt = (credential: { ticket: string } | { token: string }): void => {
    setBusy(true);
    logIn(credential)
      .catch((error: Error) => setProblem(error.message))
      .finally(() => {
        setBusy(false);
        // The ticket is used: it stays neither in the address bar nor in the history.
        if ('ticket' in credential) replaceAddress('#/');
      });
  };
  useEffect(() => {
    if (ticket !== undefined) attempt({ ticket });
  }, [ticket]);
  return (
    <main class="login">
      <form
        class="login-card"
        onSubmit={(event) => {
          event.preventDefault();
          attempt({ token: token.trim() });
        }}
      >
        <Mark />
        <h1>Millrace workbench</h1>
        <p class="muted">
          Run <code>millrace open</code> where the cluster runs and follow the link that it prints, or give a token of the
          gateway.
        </p>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          value={token}
          placeholder="credentials/gateway-read.token"
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        {problem !== '' && (
          <p class="login-problem" role="alert">
            {problem}
          </p>
        )}
        <button class="button primary" type="submit" disabled={busy || token.trim() === ''}>
          {busy ? 'Logging in …' : 'Log in'}
        </button>
      </form>
    </main>
  );
}
