import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';
import type { ProcessMonitor } from './process-stats.ts';

describe('createMetrics', () => {
  it('counts, sets and observes', async () => {
    const metrics = createMetrics({ node: 'n1', role: 'rollout' });
    metrics.count('groups_total', { job: 'a', outcome: 'trained' });
    metrics.count('groups_total', { job: 'a', outcome: 'trained' }, 4);
    metrics.set('policy_version', { job: 'a' }, 7);
    metrics.observe('staleness_versions', { job: 'a' }, 1);
    metrics.observe('staleness_versions', { job: 'a' }, 3);
    const text = await metrics.text();
    expect(text).toContain('millrace_groups_total{job="a",outcome="trained",node="n1",node_role="rollout"} 5');
    expect(text).toContain('millrace_policy_version{job="a",node="n1",node_role="rollout"} 7');
    expect(text).toContain('millrace_staleness_versions_bucket{le="2",node="n1",node_role="rollout",job="a"} 1');
    expect(text).toContain('millrace_staleness_versions_sum{node="n1",node_role="rollout",job="a"} 4');
  });

  it('has those in every scrape that nothing was counted for yet', async () => {
    const text = await createMetrics().text();
    for (const name of ['groups_total', 'policy_version', 'round_seconds']) expect(text).toContain(`# HELP millrace_${name} `);
  });

  it('takes over what is counted elsewhere, at each scrape', async () => {
    const metrics = createMetrics();
    let rows = 0;
    metrics.onScrape(() => metrics.total('store_rows_total', {}, (rows += 10)));
    await metrics.text();
    expect(await metrics.text()).toContain('millrace_store_rows_total 20');
  });

  it('keeps registries apart and forgets a job', async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    one.count('rounds_total', { job: 'a' });
    one.count('rounds_total', { job: 'b' });
    one.observe('round_seconds', { job: 'a' }, 0.3);
    one.observe('shard_seconds', { job: 'b' }, 0.3);
    expect(await two.text()).not.toContain('job="a"');
    await one.forgetJob('a');
    const text = await one.text();
    expect(text).not.toContain('job="a"');
    expect(text).toContain('millrace_rounds_total{job="b"} 1');
    expect(text).toContain('millrace_shard_seconds_count{job="b"} 1');
  });

  it('reads the process at each scrape', async () => {
    let reads = 0;
    const monitor: ProcessMonitor = {
      read: () => ({ rssBytes: ++reads, peakRssBytes: reads * 10, cpuSeconds: reads * 100, eventLoopDelayMs: reads * 1000 }),
      stop: () => undefined,
    };
    const metrics = createMetrics({ monitor });
    await metrics.text();
    const text = await metrics.text();
    expect(reads).toBe(2);
    expect(text).toContain('millrace_process_resident_memory_bytes 2');
    expect(text).toContain('millrace_process_resident_memory_peak_bytes 20');
    expect(text).toContain('millrace_process_cpu_seconds 200');
    expect(text).toContain('millrace_process_event_loop_delay_seconds 2');
    expect(metrics.contentType).toContain('text/plain');
  });
});
