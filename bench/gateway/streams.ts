import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where streams come from. */
export interface Source {
  /** Up to and with `/v1`. */
  url: string;
  key: string;
}

/** What was measured of streams, in milliseconds: how long events were on their way. */
export interface Delays {
  /** From the request to the first event. */
  first: number[];
  /** From the provider to the client, of events before the last. */
  events: number[];
  /** From the provider to the client, of the event that ends the answer. */
  last: number[];
}

const now = (): number => performance.timeOrigin + performance.now();
const SENT = /"content":"([\d.]+);"/g;

/** Runs `streams` streams over and over for `ms`, each begun at a moment of its own, and adds what it sees of them to `delays`. */
export async function runStreams(
  source: Source,
  { streams, ms, delays }: { streams: number; ms: number; delays: Delays },
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const until = now() + ms;
  const run = async (n: number): Promise<void> => {
    await sleep((n / streams) * 1000);
    while (now() < until) await oneStream(source, agent, delays);
  };
  await Promise.all(Array.from({ length: streams }, (_, n) => run(n)));
  agent.destroy();
}

function oneStream({ url, key }: Source, agent: Agent, delays: Delays): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const begun = now();
    const asked = request(`${url}/chat/completions`, { method: 'POST', headers, agent }, (response) => {
      let seen = 0;
      let end = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const at = now();
        end = (end + text).slice(-16);
        const sent = [...text.matchAll(SENT)].map(([, time]) => Number(time));
        if (seen === 0) delays.first.push(at - begun);
        seen += sent.length;
        const isLast = text.includes('"finish_reason":"stop"');
        for (const [i, time] of sent.entries()) (isLast && i === sent.length - 1 ? delays.last : delays.events).push(at - time);
      });
      response.once('end', () =>
        end.includes('[DONE]') ? resolve() : reject(new Error(`a stream ended early (HTTP ${response.statusCode})`)),
      );
      response.once('error', reject);
    });
    asked.once('error', reject);
    asked.end(JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hello' }] }));
  });
}
