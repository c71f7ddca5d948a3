import { algorithms } from './algorithms/scenario.ts';
import { api } from './api/scenario.ts';
import { compute } from './compute/scenario.ts';
import { decide } from './decide/scenario.ts';
import { evaluation } from './evaluation/scenario.ts';
import { gateway } from './gateway/scenario.ts';
import { group } from './group/scenario.ts';
import { ingest } from './ingest/scenario.ts';
import { ingestChaos } from './ingest-chaos/scenario.ts';
import { jobs } from './jobs/scenario.ts';
import { memory } from './memory/scenario.ts';
import { offPolicy } from './off-policy/scenario.ts';
import { query } from './query-speed/scenario.ts';
import { sampleEfficiency } from './sample-efficiency/scenario.ts';
import type { Scenario } from './scenario.ts';
import { seeds } from './seeds/scenario.ts';
import { train } from './train/scenario.ts';

/** Every scenario of `npm run bench`, in the order of the help. A new one is one line here. */
export const SCENARIOS: readonly Scenario[] = [
  algorithms,
  api,
  compute,
  decide,
  evaluation,
  gateway,
  group,
  ingest,
  ingestChaos,
  jobs,
  memory,
  offPolicy,
  query,
  sampleEfficiency,
  seeds,
  train,
];
