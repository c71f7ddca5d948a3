import type { Bus } from '../../src/bus/bus.ts';
import type { DurableFinding, Findings } from './finding.ts';

/** Looks whether every stream and bucket is there as it should be. `missing`: names of those that are not there. */
export async function inspectTopology(bus: Bus): Promise<Findings & { missing: ReadonlySet<string> }> {
  const findings: DurableFinding[] = [];
  const missing = new Set<string>();
  const parts = await bus.inspectTopology();
  for (const { kind, name, created, problem } of parts) {
    if (created === undefined) {
      missing.add(name);
      const advice = 'a coordinator makes it again within seconds; what was in it is lost';
      findings.push({ place: name, what: kind, problem: 'it is not there', advice, removable: false });
    } else if (problem !== undefined) {
      const advice = settingsAdvice(kind === 'bucket' ? `KV_${name}` : name);
      findings.push({ place: name, what: kind, problem, advice, removable: false });
    }
  }
  return { findings, checked: parts.length, missing };
}

function settingsAdvice(stream: string): string {
  const own = `with a NATS server of your own: nats stream rm ${stream}`;
  return `what can be changed is set when a node starts; otherwise stop the cluster, and \`millrace doctor\` names the folder to remove (${own})`;
}
