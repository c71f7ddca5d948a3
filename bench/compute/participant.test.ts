import { afterEach, describe, expect, it } from 'vitest';
import { inTurns, prove, QUICK } from './measure.ts';
import { CASES } from './cases.ts';
import { Participant, type ParticipantOptions } from './participant.ts';
import { pytorchCommand } from './participants.ts';

/** A participant that computes nothing and answers like one; each test changes one answer. */
const FAKE = (changes = ''): string => `
  const answers = {
    load: (request) => ({ loss: 1, lossAfter: 0.5, norms: { a: 2 }, scores: [1, 2] }),
    time: ({ repetitions }) => ({ wall: Array(repetitions).fill(4), cpu: Array(repetitions).fill(3) }),
    run: ({ steps }) => ({ tensors: 3, bytes: 4 * steps, rss: 5 }),
  };
  ${changes}
  console.log(JSON.stringify({ ready: 'fake' }));
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const request = JSON.parse(line);
    console.log(JSON.stringify(answers[request.op](request)));
  });`;

const started: Participant[] = [];
afterEach(() => Promise.all(started.splice(0).map((participant) => participant.stop())));

async function fake(name: string, changes = '', options: ParticipantOptions = {}): Promise<Participant> {
  const participant = new Participant({ name, file: process.execPath, args: ['-e', FAKE(changes)] }, options);
  started.push(participant);
  expect(await participant.hello()).toEqual({ ready: 'fake' });
  return participant;
}

describe('Participant', () => {
  it('asks and hears', async () => {
    const participant = await fake('one');
    expect(await participant.load(2, '/tmp')).toMatchObject({ loss: 1 });
    expect(await participant.time('train', 2, 1)).toEqual({ wall: [4, 4], cpu: [3, 3] });
    expect(await participant.run(10)).toEqual({ tensors: 3, bytes: 40, rss: 5 });
  });

  it('tells a program that is told nothing to use one thread', async () => {
    const participant = await fake('one', `answers.run = () => ({ threads: process.env.OMP_NUM_THREADS });`);
    expect(await participant.run(1)).toEqual({ threads: '1' });
  });

  it('says what went wrong, with what the process printed', async () => {
    const broken = await fake(
      'broken',
      `answers.run = () => { process.stderr.write('no such kernel'); process.exitCode = 3; process.exit(); };`,
    );
    await expect(broken.run(1)).rejects.toThrow(/process of broken ended/);
    const failing = await fake('failing', `answers.run = () => ({ error: 'shapes differ' });`);
    await expect(failing.run(1)).rejects.toThrow('the process of failing failed: shapes differ');
    const chatty = await fake(
      'chatty',
      `console.log = () => process.stdout.write('Hello!\\n'), process.stdout.write('{"ready":"fake"}\\n');`,
    );
    await expect(chatty.run(1)).rejects.toThrow('answered "Hello!", which is no JSON');
    const silent = new Participant(
      { name: 'silent', file: process.execPath, args: ['-e', 'setInterval(() => 0, 1e6)'] },
      { patienceMs: 50 },
    );
    started.push(silent);
    await expect(silent.hello()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const missing = new Participant({ name: 'missing', file: '/no/such/program', args: [] });
    await expect(missing.hello()).rejects.toThrow(/process of missing ended; it printed:\n.*ENOENT/);
  });

  it('ends with the harness', async () => {
    const interrupted = new AbortController();
    const participant = await fake('one', `answers.run = () => { for (;;); };`, { signal: interrupted.signal });
    const answer = participant.run(1);
    interrupted.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    await participant.stop();
  });
});

describe('measuring', () => {
  it('takes turns, with as many repetitions as fill one', async () => {
    const participants = [
      await fake('fast'),
      await fake('slow', `answers.time = ({ repetitions: n }) => ({ wall: Array(n).fill(40), cpu: Array(n).fill(1) });`),
    ];
    const effort = { ...QUICK, burstMs: 80, rounds: 3, warmup: { repetitions: 1, ms: 1 } };
    const [fast, slow] = await inTurns(participants, 'train', effort, new AbortController().signal);
    expect(fast!.wall).toEqual(Array(60).fill(4));
    expect(slow!.wall).toEqual(Array(6).fill(40));
    expect(slow!.cpu).toEqual(Array(6).fill(1));
    const [, hurried] = await inTurns(participants, 'train', { ...effort, rounds: 5, mostMs: 100 }, new AbortController().signal);
    expect(hurried!.wall).toHaveLength(2 * 3);
  });

  it('refuses participants that do not compute the same', async () => {
    const same = [await fake('one'), await fake('two')];
    await prove(same, CASES[0]!, '/tmp');
    const other = await fake('three', `answers.load = () => ({ loss: 1, lossAfter: 0.5, norms: { a: 2.1 }, scores: [1, 2] });`);
    await expect(prove([...same, other], CASES[0]!, '/tmp')).rejects.toThrow(
      /one and three do not compute the same.*\n +gradient of a: 2 and 2.1/,
    );
  });
});

describe('pytorchCommand', () => {
  it('takes the python that was named, or none', () => {
    expect(pytorchCommand({ MILLRACE_PYTORCH_PYTHON: '/no/such/python' })).toBeUndefined();
  });
});
