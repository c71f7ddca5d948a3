import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLUSTER_ENV_NAMES } from '../src/config/cluster.ts';
import { ERROR_CODES } from '../src/errors.ts';
import { NOTICE_CODES } from '../src/jobs/notice.ts';
import { METRICS } from '../src/telemetry/metrics.ts';
import { FailureClass } from '../src/gen/millrace/v1/flow_pb.ts';

/** A page's text; runs of blanks, with which tables are aligned, as one. */
const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8').replace(/ +/g, ' ');

describe('the reference pages', () => {
  it('explain every error code with its gRPC status and exit code', () => {
    const rows = read('errors.md').split('\n');
    const undocumented = ERROR_CODES.filter(
      (code) => !rows.some((row) => row.startsWith(`| \`${code}\` | ${code.toUpperCase()} | `)),
    );
    expect(undocumented).toEqual([]);
  });

  it('explain every failure class', () => {
    const page = read('errors.md');
    const classes = Object.values(FailureClass).filter((name) => typeof name === 'string' && name !== 'UNSPECIFIED');
    expect(classes.length).toBeGreaterThan(3);
    expect(classes.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it('explain every code of a notice, and none that is not reported', () => {
    const jobs = /\n## Jobs\n([\s\S]*?)\n## /.exec(read('errors.md'))![1]!;
    const explained = [...jobs.matchAll(/^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code]) => code);
    expect(explained).toEqual([...NOTICE_CODES]);
  });

  it('explain every metric', () => {
    const rows = read('metrics.md').split('\n');
    const missing = Object.entries(METRICS).filter(
      ([name, { type, labels }]) => !rows.some((row) => row.startsWith(`| \`${name}\` | ${type} | ${labels.join(', ')}`)),
    );
    expect(missing).toEqual([]);
  });

  it('name every environment variable of the cluster with its setting', () => {
    const rows = read('configuration.md').split('\n');
    const missing = Object.entries(CLUSTER_ENV_NAMES).filter(
      ([name, path]) => !rows.some((row) => row.includes(`\`${name}\``) && row.includes(`\`${path}\``)),
    );
    expect(missing).toEqual([]);
  });

  it('name only scripts that exist', () => {
    const { scripts } = JSON.parse(read('../package.json')) as { scripts: Record<string, string> };
    const named = ['operations.md', 'security.md', 'configuration.md', 'errors.md', '../CONTRIBUTING.md'].flatMap((page) =>
      [...read(page).matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] ?? ''),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
