import { systemClock } from '../../src/clock/system.ts';
import type { MillraceError } from '../../src/errors.ts';
import { serveMetrics } from '../../src/telemetry/metrics-server.ts';
import { createMetrics, type MetricsRegistry } from '../../src/telemetry/metrics.ts';
import { monitorProcess } from '../../src/telemetry/process-stats.ts';
import { roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import { NodeHealth } from './health.ts';

/** What others can see of a node, from its first moment to its last. */
export interface Observation {
  health: NodeHealth;
  metrics: MetricsRegistry;
  /** Where its metrics are; undefined where a role serves them. */
  url: string | undefined;
  /** Resolves with the error when the node cannot go on. */
  failed: Promise<MillraceError>;
  /** It cannot go on. */
  fail: (this: void, error: MillraceError) => void;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, `/readyz` and `/metrics` of a node that is about to start. Of a gateway, which serves its metrics itself, only at a port that the
 * settings name. Rejects with `failed_precondition` when the port is taken.
 */
export async function observeNode(settings: NodeSettings): Promise<Observation> {
  const { id, metricsPort: port, listening } = settings;
  const roles = roleNames(settings);
  const health = new NodeHealth(systemClock);
  // Another one than the heartbeats': each reading begins a new window.
  const monitor = monitorProcess();
  const metrics = createMetrics({ node: id, role: roles.join('+'), monitor });
  const served = port !== undefined || !roles.includes('gateway');
  const server = served ? await serveMetrics(metrics, { port, listening, health }) : undefined;
  let resolveFailed = (_: MillraceError): void => {};
  const failed = new Promise<MillraceError>((resolve) => (resolveFailed = resolve));
  return {
    health,
    metrics,
    url: server?.url,
    failed,
    fail: (error) => {
      health.failed(error);
      resolveFailed(error);
    },
    async close() {
      await server?.close();
      monitor.stop();
    },
  };
}
