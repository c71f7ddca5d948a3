import { expect, it } from 'vitest';
import { LearnerStatus } from './status.ts';

it('says what a learner does, what it waits for, and how it failed last', () => {
  const status = new LearnerStatus();
  expect(status.read()).toEqual({ state: 'idle', inFlight: 0, messages: 0, lastError: '', waitingFor: 'a parameter server' });
  status.failed('nobody answers');
  expect(status.read()).toMatchObject({ lastError: 'nobody answers' });
  status.connected(true);
  expect(status.read()).toMatchObject({ state: 'idle', waitingFor: 'shards' });
  status.begun();
  expect(status.read()).toMatchObject({ state: 'busy', inFlight: 1, waitingFor: '' });
  status.ended('out of memory');
  expect(status.read()).toMatchObject({ state: 'idle', inFlight: 0, messages: 1, lastError: 'out of memory' });
  status.begun();
  status.ended();
  expect(status.read()).toMatchObject({ messages: 2, lastError: '' });
  status.connected(false);
  expect(status.read()).toMatchObject({ waitingFor: 'a parameter server' });
  status.stopping();
  status.connected(true);
  expect(status.read()).toMatchObject({ state: 'stopping', waitingFor: '' });
});
