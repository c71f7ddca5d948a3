/** The address that a server listens on, and the host name or address that others reach it by. */
export interface Listening {
  bind: string;
  advertise: string;
}

/** Everything stays on this machine. */
export const LOOPBACK: Listening = { bind: '127.0.0.1', advertise: '127.0.0.1' };

/** `host:port`; an IPv6 address is put in brackets. */
export function hostPort(name: string, port: number): string {
  return `${name.includes(':') ? `[${name}]` : name}:${port}`;
}
