import { useEffect } from 'preact/hooks';
import { follow } from '../api/live.ts';
import { findSession, session } from '../api/session.ts';
import { followAddress, place } from './router.ts';
import { Login } from './login.tsx';
import { Shell } from './shell.tsx';

/** The page: a login, or what there is to see after it. */
export function App(): preact.JSX.Element {
  useEffect(() => {
    followAddress();
    void findSession().catch(() => (session.value = null));
  }, []);
  const loggedIn = session.value !== null && session.value !== undefined;
  useEffect(() => (loggedIn ? follow() : undefined), [loggedIn]);
  if (session.value === undefined) return <div class="starting" role="status" aria-label="Loading" />;
  const { parts } = place.value;
  if (parts[0] === 'login') return <Login ticket={parts[1]} />;
  return loggedIn ? <Shell /> : <Login ticket={undefined} />;
}
