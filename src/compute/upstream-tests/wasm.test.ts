import { runUpstreamTests } from './run.ts';

await runUpstreamTests('wasm');
