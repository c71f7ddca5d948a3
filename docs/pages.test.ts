import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { outdatedTables } from './generate.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
  ...readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).map((name) => join('examples', name)),
].filter((name) => name.endsWith('.md') && !name.includes('node_modules'));

/** A page without its fenced code blocks, in which brackets are no links and lines with # no headings. */
const prose = (path: string): string => read(path).replace(/^```[\s\S]*?^```/gm, '');

/** Names under which GitHub finds the headings of a page. */
function anchors(path: string): Set<string> {
  const titles = [...prose(path).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

const linksOf = (path: string): string[] =>
  [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!).filter((target) => !/^[a-z]+:/.test(target));

describe('the pages', () => {
  it.each(pages)('%s links to what exists', (page) => {
    const broken = linksOf(page).filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(root, join(root, dirname(page), path));
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && (statSync(join(root, file)).isDirectory() || !anchors(file).has(anchor));
    });
    expect(broken).toEqual([]);
  });

  it('are all in the index of docs/', () => {
    const listed = new Set(linksOf('docs/README.md').map((target) => join('docs', target.split('#')[0]!)));
    const wanted = pages.filter((page) => dirname(page) === 'docs' && page !== 'docs/README.md');
    expect(wanted.length).toBeGreaterThan(10);
    expect(wanted.filter((page) => !listed.has(page))).toEqual([]);
  });

  it('name only files that exist', () => {
    const current = pages.filter((page) => !page.startsWith(join('docs', 'adr')));
    const named = current.flatMap((page) =>
      [...prose(page).matchAll(/`((?:src|cluster|bench|test|scripts|proto|examples)\/[\w./-]+)`/g)].map(([, path]) => ({
        page,
        path: path!,
      })),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('show files of this repository as they are', () => {
    const shown = pages.flatMap((page) =>
      [...read(page).matchAll(/<!-- file: (\S+) -->\n\n```\w*\n([\s\S]*?)```/g)].map(([, file, text]) => [file!, text!] as const),
    );
    expect(shown.map(([file]) => file)).toEqual(
      expect.arrayContaining(['docs/shortest-flow/flow.ts', 'docs/shortest-flow/job.yaml', 'docs/template/flow.ts']),
    );
    for (const [file, text] of shown) expect(text, file).toBe(read(file));
  });
});

describe('tables of settings', () => {
  it('are what the schemas give; write them with npm run generate', () => {
    expect(outdatedTables(false)).toEqual([]);
  });
});

describe('README.md', () => {
  it('has at most 200 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(200);
  });
});
