import { describe, expect, it } from 'vitest';
import type { TraceOfRun } from '../trace.ts';
import { renderTrace } from './render.ts';
import { skeleton } from './skeleton.ts';
import { syntheticRun } from './synthetic-run.fixture.ts';

const count = (html: string, what: RegExp): number => [...html.matchAll(what)].length;
/** What the script of the page reads. */
const dataOf = (html: string): unknown =>
  JSON.parse(/<script type="application\/json" id="run">([^]*?)<\/script>/.exec(html)![1]!);

describe('the page of a run', () => {
  it('holds the whole run', () => {
    const run = syntheticRun(500);
    expect(dataOf(renderTrace(run))).toEqual(run);
  });

  it('loads nothing', () => {
    const html = renderTrace(syntheticRun(50));
    expect(count(html, /<(?:script|img|iframe|link|object|embed)\b[^>]*\b(?:src|href|data)\s*=\s*"(?!data:)/gi)).toBe(0);
    expect(count(html, /@import|url\(|\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest|https?:/g)).toBe(0);
  });

  it('has its stylesheet and its script in it', () => {
    const html = renderTrace(syntheticRun(50));
    expect(html).toMatch(/<style>[^]*prefers-color-scheme: ?dark[^]*<\/style>/);
    expect(html).toMatch(/<script>[^]*addEventListener[^]*<\/script>/);
    expect([count(html, /<\/script/gi), count(html, /<\/style/gi)]).toEqual([2, 1]);
  });

  it('stays whole whatever the run says', () => {
    const hostile = '</script><!--<script><img src=x onerror=alert(1)></style>\u2028"\'&amp;';
    const run: TraceOfRun = {
      ...{ seed: 1, commit: hostile, command: hostile, outcome: 'failed', reason: hostile, job: hostile, lanes: [hostile] },
      faults: [{ id: hostile, text: hostile, at: 0 }],
      events: [{ index: 0, at: 0, lane: hostile, kind: hostile, text: hostile, fault: hostile }],
    };
    const html = renderTrace(run);
    expect(dataOf(html)).toEqual(run);
    expect([count(html, /<\/script/gi), count(html, /<!--/g), count(html, /<img/g)]).toEqual([2, 0, 0]);
  });

  it('escapes what its parts could end', () => {
    const html = skeleton({ title: 'a < b </title>', style: 'a{content:"</style>"}', script: 'x = "</script><!--"', data: '{}' });
    expect(html).toContain('<title>a &lt; b &lt;/title&gt;</title>');
    expect(html).toContain('a{content:"<\\/style>"}');
    expect(html).toContain('x = "<\\/script><\\!--"');
  });
});
