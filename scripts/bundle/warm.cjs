/** Run once when a build was made: compiles every module of ours, so that no process has to. */
const part = require('./load.cjs');

for (const name of part.parts) {
  try {
    part(name);
  } catch {
    // It needs something that is not installed; so would who imports it.
  }
}
part.keep();
process.exit();
