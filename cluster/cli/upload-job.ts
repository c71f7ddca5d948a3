import type { JobConfig } from '../../src/config/job.ts';
import type { AdminClient } from './admin-client.ts';

/** Whether the coordinator at an address is on this machine, and so finds the files that a job file names. */
export function isHere(address: string): boolean {
  const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Uploads the flow of a job with its rewards, data and files; resolves with the digest of the bundle. */
export async function uploadJob(admin: AdminClient, { flow, reward, data, files }: JobConfig): Promise<string> {
  const { uploadFlow } = await import('../../src/client/upload.ts');
  const rewards = (reward.components ?? []).flatMap(({ module }) => (module === undefined ? [] : [module]));
  return (await uploadFlow(admin, { flow, rewards, data, files })).bundle;
}
