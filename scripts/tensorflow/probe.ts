// Prints what a compute backend runs on and how fast, or why it does not: probe.ts BACKEND
import { initCompute } from '../../src/compute/backend.ts';

try {
  console.log((await initCompute({ preferred: process.argv[2] })).describe());
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
