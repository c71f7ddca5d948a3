import { join } from 'node:path';
import { startNatsServer } from '../../cluster/infra/nats-server.ts';
import { loginOf } from '../../cluster/node/connect.ts';
import { admissionCheck } from '../../cluster/simulation/invariants/admission.ts';
import { advantageCheck } from '../../cluster/simulation/invariants/advantages.ts';
import type { Check } from '../../cluster/simulation/invariants/check.ts';
import { commitChecks } from '../../cluster/simulation/invariants/commits.ts';
import { damageCheck } from '../../cluster/simulation/invariants/damage.ts';
import { Facts } from '../../cluster/simulation/invariants/facts.ts';
import { PublishedWeights } from '../../cluster/simulation/invariants/published-weights.ts';
import { releaseCheck } from '../../cluster/simulation/invariants/release.ts';
import { requestCheck } from '../../cluster/simulation/invariants/requests.ts';
import { rewardCheck } from '../../cluster/simulation/invariants/rewards.ts';
import { servedCheck } from '../../cluster/simulation/invariants/served.ts';
import { stateWatch } from '../../cluster/simulation/invariants/states.ts';
import { updateCheck } from '../../cluster/simulation/invariants/updates.ts';
import { openJetStream } from '../../src/bus/nats/connection.ts';
import { isDeletion, KV_OPERATION, messageId, parseDelivery, plainBytes } from '../../src/bus/nats/messages.ts';
import { allStreamConfigs, bucketStream } from '../../src/bus/nats/stream-config.ts';
import type { JobConfig } from '../../src/config/job.ts';
import type { PolicyLearner } from '../../src/policy/kind.ts';
import { GROUPS, JOBS, LEASES, NOTICES, POLICIES, ROLLOUTS, SCORED, WEIGHTS } from '../../src/protocol/names.ts';
import { WRITER_SCORED } from '../../src/protocol/durables.ts';
import { topology } from '../../src/protocol/topology.ts';
import type { TestCluster } from './cluster.ts';

const BUCKETS: string[] = [JOBS, POLICIES, LEASES, NOTICES];
const STREAMS: string[] = [ROLLOUTS, GROUPS, SCORED, WEIGHTS, ...BUCKETS.map(bucketStream)];
const SEEN = 'seen';

/** Makes the streams of a cluster before its first start, such that nats-server republishes what it stores: that cannot be changed afterwards. */
export async function makeObservedStreams(stateDir: string): Promise<void> {
  const server = await startNatsServer({ storeDir: join(stateDir, 'nats') });
  const { nc, jsm } = await openJetStream({ servers: server.url, name: 'prepare' });
  for (const config of allStreamConfigs(topology())) {
    const seen = STREAMS.includes(config.name);
    await jsm.streams.add({ ...config, ...(seen && { republish: { src: '>', dest: `${SEEN}.${config.name}.>` } }) });
  }
  await nc.close();
  await server.stop();
}

/** What is seen of a real cluster while it runs one job. */
export interface ObservedCluster {
  facts: Facts;
  /** Invariants that broke, in order. */
  violations: string[];
  /** Versions that were committed, in order. */
  versions: number[];
  /** States of the simulation's list that were reached. */
  states: Set<string>;
  /** Acknowledgements of durables of SCORED, the writer's left out. */
  releases: number;
  stop(): Promise<void>;
}

/**
 * Watches a real cluster whose streams {@link makeObservedStreams} made with the invariants of the simulation. nats-server republishes
 * what it stores, with its place, before it acknowledges it, and one connection hears all of that and the acknowledgements: so they come in the order in which they happened, as
 * far as one follows from the other. What the store has, files, and what clients are told is not in it: those checks are left out.
 *
 * Call it before the job is created.
 */
export async function observeCluster(
  { natsUrl, natsAdmin }: TestCluster,
  config: JobConfig,
  learner: PolicyLearner,
): Promise<ObservedCluster> {
  const { nc } = await openJetStream({ servers: natsUrl, name: 'observer', ...loginOf(natsAdmin!) });
  const facts = new Facts();
  const violations: string[] = [];
  const states = new Set<string>();
  const fail = (invariant: string, message: string): void => void violations.push(`${invariant}: ${message}`);
  const weights = new PublishedWeights(fail);
  const { rollout, rounds } = config;
  const checks: Check[] = [
    facts,
    weights,
    commitChecks(facts, rollout, fail),
    releaseCheck(facts, fail),
    rewardCheck(facts, { rewardNeverAnswered: () => false }, fail),
    advantageCheck(facts, config, fail),
    admissionCheck(facts, { ...rollout, rounds }, fail),
    requestCheck(facts, fail),
    servedCheck(weights, learner, fail),
    damageCheck(fail),
    updateCheck({ facts, weights, config, learner }, fail),
    stateWatch(facts, (state) => states.add(state)),
  ];
  const observed: ObservedCluster = { facts, violations, states, versions: [], releases: 0, stop: () => nc.drain() };

  nc.subscribe(`${SEEN}.>`, {
    callback: (_, { headers, data }) => {
      const subject = headers!.get('Nats-Subject');
      const sequence = Number(headers!.get('Nats-Sequence'));
      const [kv, bucket, ...key] = subject.split('.');
      if (kv !== '$KV') {
        const message = { node: 'nats', subject, data: plainBytes(data), id: messageId(headers), sequence };
        for (const check of checks) check.published?.(message);
        return;
      }
      const value = isDeletion(headers!.get(KV_OPERATION)) ? undefined : plainBytes(data);
      for (const check of checks)
        check.written?.({ node: 'nats', bucket: bucket!, key: key.join('.'), value, revision: sequence });
      if (bucket === POLICIES && facts.manifest) observed.versions.push(facts.manifest.version);
    },
  });
  nc.subscribe(`$JS.ACK.${SCORED}.>`, {
    callback: (_, { subject, data }) => {
      const durable = subject.split('.')[3]!;
      // What the store has is not seen from here.
      if (Buffer.from(data).toString() !== '+ACK' || durable === WRITER_SCORED.durable) return;
      const { sequence } = parseDelivery(subject)!;
      observed.releases += 1;
      for (const check of checks)
        check.acked?.({ node: durable, stream: SCORED, durable, message: { subject, id: '', sequence } });
    },
  });
  await nc.flush();
  return observed;
}
