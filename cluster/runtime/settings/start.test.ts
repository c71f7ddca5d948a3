import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../../src/errors.ts';
import { TEST_CREDENTIALS as credentials } from '../../infra/credentials.fixture.ts';
import { ROLE_NAMES } from '../../../src/protocol/roles.ts';
import { credentialsOf } from './credentials.ts';
import { checkStart, type StartMessage } from './start.ts';

const section = (role: (typeof ROLE_NAMES)[number]): Record<string, unknown> => ({ role, ...credentialsOf(role, credentials) });
const message = (settings: object = {}): unknown => ({
  kind: 'start',
  settings: { id: 'rollout-1', natsUrl: 'nats://x:4222', stateDir: '/s', roles: [{ role: 'rollout' }], ...settings },
});
const refusal = (sent: unknown): Promise<MillraceError> =>
  checkStart(sent).then(
    () => expect.fail('it was taken'),
    (thrown: unknown) => MillraceError.from(thrown),
  );

describe('a start message', () => {
  it.each(ROLE_NAMES)('starts a %s with no more than its credentials', async (role) => {
    const { settings, history } = await checkStart(message({ roles: [section(role)] }));
    expect(settings).toMatchObject({ roles: [section(role)], logLevel: 'info' });
    expect(history).toEqual({ afterCrash: false, wasUp: false });
  });

  it('tells how the process before ended', async () => {
    const last = { job: 'a-1', flow: 'f', task: 't', part: 'plan', running: true, at: 5 };
    const history = { afterCrash: true, wasUp: true, previousEnd: { how: 'SIGKILL', outOfMemory: false, last } };
    expect((await checkStart({ ...(message() as StartMessage), history })).history).toEqual(history);
  });

  it.each(ROLE_NAMES)('for a %s is refused with a credential of other roles', async (role) => {
    const own = section(role);
    for (const [name, secret] of Object.entries(credentials)) {
      if (name in own) continue;
      const error = await refusal(message({ roles: [{ ...own, [name]: secret }] }));
      expect(error).toMatchObject({ code: 'invalid_argument', field: `settings.roles.0.${name}` });
      expect(error.message).not.toContain(secret);
    }
  });

  it.each<[string, unknown, string, RegExp]>([
    ['no settings', { kind: 'start' }, 'settings', /settings is missing: expected a section with the keys id, natsUrl/],
    ['no role', message({ roles: [] }), 'settings.roles', /a list of at least 1 entry/],
    ['a role twice', message({ roles: [section('reward'), section('reward')] }), 'settings.roles', /each role once/],
    [
      'a role that there is not',
      message({ roles: [{ role: 'planner' }] }),
      'settings.roles.0.role',
      /settings\.roles\.0\.role: got "planner", expected one of coordinator, parameter-server, learner, rollout, reward, store, gateway/,
    ],
    [
      'a backend that there is not',
      message({ roles: [{ role: 'rollout', backend: 'cuda' }] }),
      'settings.roles.0.backend',
      /got "cuda", expected one of tensorflow-gpu, native, tensorflow, wasm, cpu/,
    ],
    [
      'a port that is none',
      message({ metricsPort: 70_000 }),
      'settings.metricsPort',
      /got 70000, expected an integer from 0 to 65535/,
    ],
    [
      'a credential missing',
      message({ roles: [{ role: 'learner' }] }),
      'settings.roles.0.workToken',
      /settings\.roles\.0\.workToken is missing: expected text/,
    ],
    ['an id that is no file name', message({ id: '../x' }), 'settings.id', /settings\.id: got "\.\.\/x"/],
    ['an unknown setting', message({ idd: 'x' }), 'settings.idd', /unknown key "settings\.idd"; did you mean "settings\.id"\?/],
  ])('with %s is refused by the field', async (_, sent, field, text) => {
    const error = await refusal(sent);
    expect(error).toMatchObject({ code: 'invalid_argument', field });
    expect(error.message).toMatch(text);
  });

  it('with sections in another form is refused without their secrets', async () => {
    const error = await refusal(message({ roles: section('coordinator') }));
    expect(error.message).toMatch(/^start message: settings\.roles: got \{"role":"coordinator","token":"\*\*\*"/);
  });

  it('that is short of a credential says nothing of its value', async () => {
    const error = await refusal(message({ roles: [{ role: 'learner', workToken: 'too short' }] }));
    expect(error.field).toBe('settings.roles.0.workToken');
    expect(error.message).not.toContain('too short');
  });
});
