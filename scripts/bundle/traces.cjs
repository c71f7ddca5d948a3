/** Names the TypeScript sources in stack traces of code in millrace.cjs. Plain JavaScript, as load.cjs is. */
const { readFileSync } = require('node:fs');
const { findSourceMap } = require('node:module');
const { basename, dirname, join, resolve, sep } = require('node:path');
const { fileURLToPath } = require('node:url');

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * From now on, stacks of errors name the sources: of the code in `file` by the map beside it, read when the first stack is; of other
 * code, as of flows, by the maps that Node.js knows, which it would name itself if nobody else made the text.
 */
exports.nameSources = function nameSources(file) {
  let map;
  // What V8 had kept still says where the file was then, before its checkout was moved.
  const itself = sep + join(basename(dirname(file)), basename(file));
  Error.prepareStackTrace = (error, sites) => {
    const lines = sites.map((site) => {
      const text = String(site);
      const name = site.getFileName();
      if (!name || name.startsWith('node:')) return text;
      const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
      const found = name.endsWith(itself) ? (map ??= readMap(file))(line, column) : known(name, line, column);
      return found === undefined ? text : text.replace(`${name}:${line}:${column}`, found);
    });
    return [headOf(error), ...lines.map((line) => `    at ${line}`)].join('\n');
  };
};

function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

function known(name, line, column) {
  const entry = findSourceMap(name)?.findEntry(line - 1, column - 1);
  if (entry?.originalSource === undefined) return undefined;
  const source = entry.originalSource.startsWith('file://') ? fileURLToPath(entry.originalSource) : entry.originalSource;
  return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

/** A function that gives the place in the sources of a line and column of a file, both from 1. */
function readMap(file) {
  let sources, starts, places;
  try {
    const map = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
    ({ starts, places } = decode(map.mappings));
    sources = map.sources.map((source) => resolve(dirname(file), source));
  } catch {
    return () => undefined;
  }
  return (line, column) => {
    // The last one that begins at or before it.
    let [from, to] = [(starts[line - 1] ?? 0) / 4 - 1, (starts[line] ?? 0) / 4 - 1];
    const first = from;
    while (from < to) {
      const middle = Math.ceil((from + to) / 2);
      if (places[middle * 4] < column) from = middle;
      else to = middle - 1;
    }
    const found = from * 4;
    const source = from === first ? undefined : sources[places[found + 1]];
    return source === undefined ? undefined : `${source}:${places[found + 2] + 1}:${places[found + 3] + 1}`;
  };
}

/** Mappings of a source map: where each line's begin in `places`, which has column, source, line and column of each, from 0. */
function decode(mappings) {
  const digits = new Uint8Array(128);
  for (const [value, digit] of [...DIGITS].entries()) digits[digit.charCodeAt(0)] = value;
  const starts = [0];
  const places = [];
  const last = [0, 0, 0, 0, 0];
  let [field, value, shift] = [0, 0, 0];
  const finish = () => {
    if (field >= 4) places.push(last[0], last[1], last[2], last[3]);
    else if (field === 1) places.push(last[0], -1, 0, 0);
    field = 0;
  };
  for (let at = 0; at < mappings.length; at += 1) {
    const code = mappings.charCodeAt(at);
    if (code === 0x2c || code === 0x3b) {
      finish();
      if (code === 0x3b) {
        last[0] = 0;
        starts.push(places.length);
      }
      continue;
    }
    const digit = digits[code];
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    last[field] += (value & 1) === 1 ? -(value >>> 1) : value >>> 1;
    [field, value, shift] = [field + 1, 0, 0];
  }
  finish();
  starts.push(places.length);
  return { starts, places };
}
