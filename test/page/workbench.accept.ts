// In Chromium, on a real cluster: npm run test:long -- page
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { workbenchUrl } from '../../cluster/cli/workbench-url.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { thermostatJob } from '../support/thermostat.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };

let cluster: TestCluster;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let problems: string[];
/** A job that has ended, and one whose texts are markup. */
let ended: string;
let markup: string;

const link = (): Promise<string> => workbenchUrl({ url: cluster.gatewayUrl!, token: cluster.gatewayToken });
const address = (hash: string): string => `${cluster.gatewayUrl}/${hash}`;

beforeAll(async () => {
  cluster = await startTestCluster({ learners: 1, rollouts: 1, gatewayPort: 0 });
  browser = await chromium.launch({ executablePath: process.env['MILLRACE_TEST_CHROMIUM'], args: ['--no-sandbox'] });
  const small = ['rounds=4', 'evaluation.every=2', 'rollout.groupsPerRound=2', 'rollout.groupSize=4'];
  ended = (await cluster.createJob(thermostatJob(small))).id;
  const file = fileURLToPath(new URL('../flows/markup.yaml', import.meta.url));
  markup = (await cluster.createJob(loadJobConfig(file).config)).id;
  await cluster.ended(ended);
  await cluster.ended(markup);
  context = await browser.newContext({ viewport: WIDE, colorScheme: 'light' });
  const first = await context.newPage();
  await first.goto(await link());
  await first.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await first.close();
}, 400_000);
afterAll(async () => {
  await browser?.close();
  await cluster?.end();
}, 60_000);
beforeEach(async () => {
  problems = [];
  page = await context.newPage();
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(cluster.gatewayUrl!) && !request.url().startsWith('data:'))
      problems.push(`asks for ${request.url()}`);
  });
});
afterEach(async () => {
  await page.close();
  expect(problems).toEqual([]);
});

async function open(hash: string, heading: string | RegExp): Promise<void> {
  await page.goto(address(hash));
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  // Nothing is being loaded any more.
  await expect.poll(() => page.getByRole('status', { name: 'Loading' }).count(), { timeout: 30_000 }).toBe(0);
}

const region = (name: string): ReturnType<Page['getByRole']> => page.getByRole('region', { name, exact: true });

/** What axe has to say, in a line each. */
async function violations(): Promise<string[]> {
  await page.evaluate(axe);
  const { violations: found } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  );
}

/** A trajectory of a job, and its group. */
async function stored(job: string): Promise<{ trajectory: string; group: string }> {
  const [row] = await cluster.rows(
    `SELECT trajectory_id, request_id FROM trajectories WHERE job = '${job}' AND purpose = 'train' ORDER BY trajectory_id LIMIT 1`,
  );
  return { trajectory: String(row![0]), group: String(row![1]) };
}

/** Every view with the heading that it has. */
async function views(job: string): Promise<[string, string | RegExp][]> {
  const { trajectory, group } = await stored(job);
  return [
    ['#/', 'Overview'],
    ['#/jobs', 'Jobs'],
    [`#/jobs/${job}`, new RegExp(job)],
    [`#/jobs/${job}/trajectories/${encodeURIComponent(trajectory)}`, /./],
    [`#/jobs/${job}/groups/${encodeURIComponent(group)}`, 'Group'],
    ['#/sql', 'SQL'],
    ['#/cluster', 'Cluster'],
  ];
}

describe('a login', () => {
  it('is asked for, and its link opens the page once', async () => {
    const stranger = await browser.newContext();
    const visitor = await stranger.newPage();
    await visitor.goto(address('#/jobs'));
    await visitor.getByRole('heading', { name: 'Millrace workbench' }).waitFor();
    const once = await link();
    await visitor.goto(once);
    await visitor.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    expect(visitor.url()).not.toContain('login');
    const [cookie] = await stranger.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    await visitor.getByRole('button', { name: 'Log out' }).click();
    await visitor.getByLabel('Token').waitFor();
    await visitor.goto('about:blank');
    await visitor.goto(once);
    await visitor.getByRole('alert').getByText('used already').waitFor();
    await stranger.close();
  });
});

describe('the views', () => {
  it('have no flaws that axe finds, in light and dark, and fit a narrow screen', async () => {
    const flaws: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(colorScheme === 'light' ? WIDE : NARROW);
      for (const [hash, heading] of await views(ended)) {
        await open(hash, heading);
        flaws.push(...(await violations()).map((flaw) => `${colorScheme} ${hash}: ${flaw}`));
        const width = await page.evaluate<number>('document.documentElement.scrollWidth');
        expect(width, `${colorScheme} ${hash}`).toBeLessThanOrEqual(colorScheme === 'light' ? WIDE.width : NARROW.width);
      }
    }
    expect(flaws).toEqual([]);
  }, 240_000);

  it('show what the cluster knows of a job', async () => {
    await open(`#/jobs/${ended}`, new RegExp(ended));
    await region('Learning')
      .getByRole('img', { name: /Success by version; held out: \d+ % at version 4/ })
      .waitFor();
    const { progress } = (await cluster.admin.getJob({ jobId: ended })).job!;
    await region('Accounting').getByText(`${progress!.requests} requests`).waitFor();
    await region('Evaluations')
      .getByRole('row', { name: /^trained 4/ })
      .first()
      .waitFor();
    await region('Events').getByText('job succeeded').waitFor();
    await region('Trajectories')
      .getByRole('link', { name: /^house-/ })
      .first()
      .click();
    await region('Steps').getByRole('heading', { level: 3 }).first().waitFor();
    await region('Steps').getByRole('meter').first().waitFor();
    await page.getByRole('link', { name: 'siblings' }).click();
    await region('Siblings').getByRole('link', { name: '#1' }).first().waitFor();
  });

  it('are reached with the keyboard alone', async () => {
    await open('#/', 'Overview');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.getByRole('navigation').getByRole('link', { name: 'Jobs' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    expect(await page.getByRole('link', { name: 'Jobs', exact: true }).getAttribute('aria-current')).toBe('page');
  });

  it('keep the colours that were chosen', async () => {
    await open('#/', 'Overview');
    await page.getByRole('button', { name: 'Colours: system' }).click();
    await page.getByRole('button', { name: 'Colours: light' }).click();
    await page.reload();
    await page.getByRole('button', { name: 'Colours: dark' }).click();
    await page.getByRole('button', { name: 'Colours: system' }).waitFor();
  });
});

describe('texts of flows', () => {
  it('are never markup, wherever they are shown', async () => {
    for (const [hash, heading] of await views(markup)) {
      await open(hash, heading);
      expect(await page.evaluate('globalThis.hacked'), hash).toBeUndefined();
      expect(await page.locator('main script, main img, main a[href^="javascript"]').count(), hash).toBe(0);
    }
    const { trajectory } = await stored(markup);
    await open(`#/jobs/${markup}/trajectories/${encodeURIComponent(trajectory)}`, /./);
    const shown = await region('Steps').innerText();
    expect(shown).toMatch(/<script>globalThis\.hacked|<img src=x onerror/);
    await open(
      `#/sql?q=${encodeURIComponent(`SELECT tool, arguments, result FROM steps WHERE job = '${markup}' LIMIT 20`)}`,
      'SQL',
    );
    await region('Result')
      .getByText(/onerror=/)
      .first()
      .waitFor();
    expect(await page.evaluate('globalThis.hacked')).toBeUndefined();
  });
});

describe('SQL', () => {
  it('runs a statement, whose address gives the same again, and refuses what changes something', async () => {
    await open('#/sql', 'SQL');
    const editor = page.getByLabel('Statement');
    await editor.fill('SELECT number AS n, number * number AS square FROM numbers(5)');
    await editor.press('Control+Enter');
    await region('Result').getByRole('cell', { name: '16' }).waitFor();
    const again = page.url();
    await page.goto('about:blank');
    await page.goto(again);
    await region('Result').getByRole('cell', { name: '16' }).waitFor();
    await region('Result').getByRole('button', { name: 'Plot' }).click();
    await region('Result').getByRole('img', { name: 'square by n' }).waitFor();
    await editor.fill('DROP TABLE steps');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await region('Result').getByRole('alert').waitFor();
    await page.getByRole('form', { name: 'Named queries' }).getByRole('button', { name: 'Run query' }).click();
    await region('Result').getByRole('columnheader', { name: 'from_version' }).waitFor();
  });
});

describe('a job that trains', () => {
  it('is followed live, also after the gateway was killed, and paused, resumed and cancelled', async () => {
    const { id } = await cluster.createJob(thermostatJob(['rounds=2000', 'evaluation.baselines=false', 'evaluation.every=0']));
    await cluster.until(id, ({ progress }) => (progress?.round ?? 0) > 0);
    await open(`#/jobs/${id}`, new RegExp(id));
    const figure = page.locator('.stat', { hasText: 'Round' }).first().locator('dd');
    const round = async (): Promise<number> => parseInt(await figure.innerText());
    const before = await round();
    await expect.poll(round).toBeGreaterThan(before);
    cluster.kill('gateway');
    await page.getByText(/Connecting|Polling|No connection/).waitFor();
    const known = await round();
    await page.getByText('Live', { exact: true }).waitFor();
    await expect.poll(round).toBeGreaterThan(known);
    // A browser says that connections failed while there was no gateway.
    expect(problems.filter((text) => !/WebSocket|Failed to load resource|ERR_/.test(text))).toEqual([]);
    problems = [];
    await page.getByRole('button', { name: `Pause ${id}` }).click();
    await page.getByRole('heading', { name: `${id} paused` }).waitFor();
    await page.getByRole('button', { name: `Resume ${id}` }).click();
    await page.getByRole('heading', { name: `${id} running` }).waitFor();
    await page.getByRole('button', { name: `Cancel ${id}` }).click();
    await page.getByRole('button', { name: 'Really cancel?' }).click();
    await page.getByRole('heading', { name: `${id} cancelled` }).waitFor();
    expect((await cluster.admin.getJob({ jobId: id })).job!.state).toBe(JobState.CANCELLED);
  }, 180_000);
});
