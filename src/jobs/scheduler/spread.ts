/**
 * Which server each waiting job is for: in their order, always the one with the fewest jobs, the first by name where several have as few. Servers
 * that know the same come to the same result, and also one that does not know yet that a job ahead was taken by whom it was for.
 *
 * @param loads - how many jobs each server has; at least one server
 */
export function spreadJobs(waiting: readonly string[], loads: ReadonlyMap<string, number>): Map<string, string> {
  const left = new Map([...loads].sort(([a], [b]) => (a < b ? -1 : 1)));
  const servers = new Map<string, string>();
  for (const job of waiting) {
    let least: [string, number] | undefined;
    for (const each of left) if (least === undefined || each[1] < least[1]) least = each;
    const [server, load] = least!;
    left.set(server, load + 1);
    servers.set(job, server);
  }
  return servers;
}
