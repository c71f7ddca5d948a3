// Puts what an image runs into a folder: all modules in one file with V8's compiled code beside it, and what lies beside them.
// usage: node deploy/docker/bundle.js FOLDER, at the place where the folder stays: V8 notes it.
import { chmodSync, cpSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleModules, warm } from '../../scripts/bundle/make.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [folder] = process.argv.slice(2);
