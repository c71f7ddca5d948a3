// In Chromium: npm run test:long -- page
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { causesOf, faultEvents, type TraceOfRun } from '../trace.ts';
import { renderTrace } from './render.ts';
import { syntheticRun } from './synthetic-run.fixture.ts';

const run = syntheticRun(20_000);
const END = 19_999;
const faults = faultEvents(run).map(({ index }) => index);

let folder: string;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-page-'));
  browser = await chromium.launch({ executablePath: process.env['MILLRACE_TEST_CHROMIUM'], args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  problems = [];
  page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`asks for ${request.url()}`);
  });
});
afterEach(async () => {
  await page.close();
  expect(problems).toEqual([]);
});

async function open(shown: TraceOfRun): Promise<void> {
  const file = join(folder, 'run.html');
  writeFileSync(file, renderTrace(shown));
  await page.goto(pathToFileURL(file).href);
}

/** Waits until the event is selected and its row in view. */
const selected = async (index: number): Promise<void> => {
  await page.locator(`.row.selected[data-index="${index}"]`).waitFor();
  const [row, list] = await Promise.all([page.locator('.row.selected').boundingBox(), page.locator('.scroll').boundingBox()]);
  expect(row!.y).toBeGreaterThanOrEqual(list!.y - 1);
  expect(row!.y + row!.height).toBeLessThanOrEqual(list!.y + list!.height + 1);
};
const scrubTo = (row: number): Promise<void> => page.locator('#overview input').fill(String(row));
/** What the panel says of the selected event, e.g. its Time. */
const fact = (name: string): Promise<string> => page.locator(`#side dt:text-is("${name}") + dd`).innerText();
const shownKinds = (): Promise<string[]> => page.locator('.row .kind').allInnerTexts();
/** Two frames: one that was asked for has been drawn. */
const drawn = (): Promise<void> =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))');

/** How many pixels of the lanes have this colour, given as the stylesheet has it, e.g. `--danger`. */
const pixelsOf = (colour: string): Promise<number> =>
  page.evaluate(`(() => {
    const wanted = getComputedStyle(document.documentElement).getPropertyValue('${colour}').trim();
    const canvas = document.querySelector('.space canvas');
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
    let pixels = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) pixels += 1;
    return pixels;
  })()`);

describe('the page of a run of 20,000 events', () => {
  beforeEach(() => open(run));

  it('opens at the violation and says how to run it again', async () => {
    await selected(END);
    expect(await page.locator('h1').innerText()).toBe(run.reason);
    expect(await page.locator('.outcome').innerText()).toBe('failed');
    expect(await page.locator('.facts').innerText()).toContain(`seed ${run.seed}`);
    expect(await page.locator('#command').innerText()).toBe(run.command);
    expect(await page.locator('.head .lane').allInnerTexts()).toEqual(run.lanes);
    expect(await page.locator('.row').count()).toBeLessThan(150);
  });

  it('copies the command', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByText('Copy', { exact: true }).click();
    await page.getByText('Copied').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(run.command);
  });

  it('scrubs and steps', async () => {
    await scrubTo(5000);
    await selected(5000);
    expect(await fact('Time')).toBe(`${(run.events[5000]!.at / 1000).toFixed(3)} s`);
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight', 'ArrowUp']) await page.keyboard.press(key);
    await selected(5002);
    await page.getByTitle('Next event').click();
    await page.getByTitle('Previous event').click();
    await page.getByTitle('Previous event').click();
    await selected(5001);
    await page.keyboard.press('Home');
    await selected(0);
    await page.keyboard.press('v');
    await selected(END);
  });

  it('goes from fault to fault, and back to the violation', async () => {
    await scrubTo(0);
    await page.keyboard.press('Shift+ArrowRight');
    await selected(faults[0]!);
    await page.getByTitle('Next fault').click();
    await selected(faults[1]!);
    expect(await fact('Fault')).toContain('F1: rollout-1 is cut off from NATS');
    await page.getByTitle('Previous fault').click();
    await selected(faults[0]!);
    await page.getByTitle('Go to the violation').click();
    await selected(END);
    await page.getByTitle('Go to fault F3', { exact: true }).click();
    await selected(run.events.find(({ fault }) => fault === 'f3')!.index);
  });

  it('scrolls by hand to rows that are drawn on the way', async () => {
    for (const top of [0, 10_000, 4_000]) {
      await page.evaluate(`document.querySelector('.scroll').scrollTop = ${24 * top}`);
      const index = top + 3;
      await page.locator(`.row[data-index="${index}"]`).click();
      await selected(index);
    }
  });

  it('filters by kind and by lane', async () => {
    await scrubTo(300);
    expect(await shownKinds()).toContain('publish');
    await page.getByText('Kinds (all').click();
    await page.getByRole('checkbox', { name: /^publish/ }).uncheck();
    await drawn();
    expect(await shownKinds()).not.toContain('publish');
    const without = run.events.filter(({ kind }) => kind !== 'publish').length;
    expect(await page.locator('#where').innerText()).toBe(`${without} of 20000 shown`);
    await page.getByTitle('Show all kinds').click();
    await page.getByText('Lanes (all').click();
    await page.getByTitle('Show only store', { exact: true }).click();
    await drawn();
    const lanes = (await page.locator('.row').all()).map((row) => row.getAttribute('title'));
    expect(lanes.length).toBeGreaterThan(20);
    for (const lane of await Promise.all(lanes)) expect(lane).toMatch(/^store: /);
    expect(await page.locator('.head .lane').allInnerTexts()).toEqual(['store']);
    await page.getByText('Show everything').click();
    await selected(300);
    expect(await page.locator('#where').innerText()).toBe('');
  });

  it('says so when every event is hidden', async () => {
    await page.getByText('Lanes (all').click();
    for (const box of await page.locator('.menu[open] input').all()) await box.uncheck();
    await page.getByText('No event is shown').waitFor();
    await page.keyboard.press('ArrowRight');
    await page.getByTitle('Show all lanes').click();
    await selected(END);
  });

  it('leaves what led to the end', async () => {
    await page.getByText('only what led to the end').click();
    await drawn();
    const shown = Number(/^\d+/.exec(await page.locator('#where').innerText())![0]);
    expect(shown).toBeGreaterThan(60);
    expect(shown).toBeLessThanOrEqual(300 + faults.length);
    await selected(END);
  });

  it('finds text', async () => {
    const matches = run.events.filter(({ text }) => text.includes('group 12:')).map(({ index }) => index);
    await scrubTo(0);
    await page.keyboard.press('/');
    await page.keyboard.type('group 12:');
    await selected(matches[0]!);
    expect(await page.locator('.row.selected mark').innerText()).toBe('group 12:');
    await page.keyboard.press('Enter');
    await selected(matches[1]!);
    expect(await page.locator('#found').innerText()).toBe(`2 of ${matches.length} found`);
    await page.getByText('only matches').click();
    await drawn();
    expect(await page.locator('.row').count()).toBe(matches.length);
  });

  it('shows how an event came about, and goes there', async () => {
    const event = run.events.findLast(({ kind, lane }) => kind === 'receive' && lane === 'parameter-server')!;
    await scrubTo(event.index);
    await selected(event.index);
    const causes = causesOf(run, event, 5);
    const lines = await page.locator('.causes li button').allInnerTexts();
    expect(lines.slice(0, 6)).toEqual([event, ...causes].map(({ lane, kind, text }) => `${lane} ${kind} ${text}`));
    await page.locator('.causes li button').nth(3).click();
    await selected(causes[2]!.index);
  });

  it('draws messages, what is lost, and the history of the selected event', async () => {
    const lost = run.events.find(({ lost, from }) => lost === true && from !== undefined)!;
    await scrubTo(lost.index);
    await selected(lost.index);
    await drawn();
    expect(await fact('Outcome')).toBe('lost: it never arrives');
    for (const colour of ['--message', '--danger', '--history']) expect(await pixelsOf(colour), colour).toBeGreaterThan(20);
  });

  it('follows the colour scheme', async () => {
    const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    await selected(END);
    expect(await background()).toBe('rgb(255, 255, 255)');
    await page.emulateMedia({ colorScheme: 'dark' });
    await drawn();
    expect(await background()).toBe('rgb(17, 20, 26)');
    expect(await pixelsOf('--message')).toBeGreaterThan(20);
  });

  it('keeps up with a slider that is dragged', async () => {
    const took = await page.evaluate<number>(`(async () => {
      const slider = document.querySelector('#overview input');
      const began = performance.now();
      for (let row = 0; row < 20000; row += 200) {
        slider.value = row;
        slider.dispatchEvent(new Event('input'));
        await new Promise((done) => requestAnimationFrame(done));
      }
      return performance.now() - began;
    })()`);
    // A hundred frames; sixty a second would be 1.7 s.
    expect(took).toBeLessThan(20_000);
  });
});

describe('the page of another run', () => {
  it('shows what it says as text, whatever that is', async () => {
    const hostile = '</script><img src=x onerror="console.log(1)"><b>x</b>';
    await open({
      ...{ seed: 1, commit: hostile, command: hostile, outcome: 'inconclusive', reason: hostile, job: hostile, lanes: [hostile] },
      faults: [{ id: hostile, text: hostile, at: 0 }],
      events: [{ index: 0, at: 0, lane: hostile, kind: hostile, text: hostile, fault: hostile }],
    });
    await selected(0);
    expect(await page.locator('h1').innerText()).toBe(hostile);
    expect(await page.locator('.row .text').innerText()).toBe(hostile);
    expect(await page.locator('img, #side p b').count()).toBe(0);
  });

  it('stands a run without events, and one that passed', async () => {
    await open({ ...run, outcome: 'passed', reason: undefined, faults: [], events: [] });
    expect(await page.locator('h1').innerText()).toBe(run.job);
    await page.getByText('No event is shown').waitFor();
    for (const key of ['ArrowRight', 'v', 'End', 'Shift+ArrowLeft']) await page.keyboard.press(key);
    await open({ ...run, outcome: 'passed', events: run.events.slice(0, 100) });
    await selected(0);
    expect(await page.getByTitle('Go to the violation').isDisabled()).toBe(true);
  });
});
