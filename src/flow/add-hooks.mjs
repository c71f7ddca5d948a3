/** Puts the hooks of resolve-hook.mjs into this process. Plain JavaScript, as they are. */
import module from 'node:module';
import { initialize, loadHere, resolveOwn, resolveHere } from './resolve-hook.mjs';

export function addHooks(data) {
  // Node.js 25 says that `register` is deprecated. `registerHooks`, which tsx uses where it is there, comes before `register`; so what
  // only this package can resolve or load must use it as well.
  const { register, registerHooks } = module;
  initialize(data);
  if (registerHooks === undefined || Number.parseInt(process.versions.node) < 25) {
    register('./resolve-hook.mjs', import.meta.url, { data });
    registerHooks?.({ resolve: resolveOwn, load: loadHere });
    return;
  }
  registerHooks({ resolve: resolveHere, load: loadHere });
}
