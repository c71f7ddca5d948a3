import type { EmbeddedCluster } from '../up/index.ts';
import { credentialPath } from '../infra/credentials.ts';

/**
 * One line that asks the ClickHouse interface a question when it is pasted into a shell. The password stays in its file: other accounts
 * can read arguments. Undefined without that interface.
 */
export function sqlExample({
  clickhouseUrl,
  stateDir,
}: Pick<EmbeddedCluster, 'clickhouseUrl'> & { stateDir: string }): string | undefined {
  if (clickhouseUrl === undefined) return undefined;
  const file = quoted(credentialPath(stateDir, 'reader.netrc'));
  return `SQL: curl --netrc-file ${file} ${clickhouseUrl} -d 'SELECT job, count() FROM trajectories GROUP BY job'`;
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
