/**
 * Runs the modules of millrace.cjs, beside which this file lies. V8 keeps what it has compiled in a file for each of its versions and
 * sets of flags: a process that starts reads that, instead of parsing megabytes of text. Plain JavaScript, as it is what loads the rest.
 */
const { readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { cachedDataVersionTag, setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');
const { isMainThread } = require('node:worker_threads');
const { nameSources } = require('./traces.cjs');

const file = join(__dirname, 'millrace.cjs');
const kept = join(__dirname, `millrace-${cachedDataVersionTag().toString(16)}.v8`);
/** By then a process has started, and what it needed for that is compiled. */
const STARTED_MS = 5_000;

nameSources(file);
const cachedData = keptCode();
const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData });
const missing = cachedData === undefined || script.cachedDataRejected === true;
if (missing && isMainThread) {
  // V8 forgets code that has not run for a while, such as what runs once: it would be missing in what is kept.
  setFlagsFromString('--no-flush-bytecode');
  setTimeout(keep, STARTED_MS).unref();
  process.once('exit', keep);
}
const bundle = { exports: {} };
const at = (path) => pathToFileURL(join(__dirname, path)).href;
// What V8 had kept cannot import by itself: it has forgotten by whose means.
const importModule = (url) => import(url);
script.runInThisContext()(bundle.exports, require, bundle, file, __dirname, at, importModule);

/** Exports of one of our modules, by its path without ending: `src/errors`. */
module.exports = function part(name) {
  return bundle.exports[name]();
};
module.exports.keep = keep;
module.exports.parts = Object.keys(bundle.exports);

function keptCode() {
  try {
    return readFileSync(kept);
  } catch {
    return undefined;
  }
}

/** Writes what V8 has compiled, once, and whole before others see it. */
function keep() {
  process.off('exit', keep);
  // What is kept is for the flags that it was made with.
  setFlagsFromString('--flush-bytecode');
  const written = `${kept}.${process.pid}`;
  try {
    writeFileSync(written, script.createCachedData(), { mode: 0o600 });
    renameSync(written, kept);
  } catch {
    // A folder that this account cannot write to: then every process compiles.
    rmSync(written, { force: true });
  }
}
