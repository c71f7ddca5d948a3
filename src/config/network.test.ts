import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { checkedWhole } from './problems.ts';
import { listeningOf, networkSchema } from './network.ts';

const listening = (settings: object) => listeningOf(networkSchema.parse(settings));

describe('listeningOf', () => {
  it('stays on this machine unless it is told otherwise', () => {
    expect(listening({})).toEqual({ bind: '127.0.0.1', advertise: '127.0.0.1' });
    expect(listening({ bind: '::1' })).toEqual({ bind: '::1', advertise: '::1' });
  });

  it('advertises the name that is set, else the address, else the name of the host', () => {
    expect(listening({ bind: '0.0.0.0', insecure: true, advertise: 'learner-1.example' }).advertise).toBe('learner-1.example');
    expect(listening({ bind: '10.0.0.7', insecure: true }).advertise).toBe('10.0.0.7');
    expect(listening({ bind: '0.0.0.0', insecure: true }).advertise).toBe(hostname());
    expect(listening({ bind: '::', insecure: true }).advertise).toBe(hostname());
  });

  it.each(['0.0.0.0', '::', '10.0.0.7', 'db.example'])('refuses %s without TLS', (bind) => {
    expect(() => listening({ bind })).toThrow(/^network\.bind: .* no loopback address.*network\.insecure=true/);
    expect(listeningOf(networkSchema.parse({ bind }), true).bind).toBe(bind);
  });

  it.each(['http://x', 'a b', 'x/y', ''])('takes no host "%s"', (bind) => {
    expect(networkSchema.safeParse({ bind }).error?.issues[0]?.path).toEqual(['bind']);
    const told = `network: bind: got ${JSON.stringify(bind)}, expected a host name or an IP address, without a port`;
    expect(() => checkedWhole(networkSchema, { bind }, 'network')).toThrow(told);
  });
});
