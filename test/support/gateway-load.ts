import { setTimeout as sleep } from 'node:timers/promises';

/** What clients were answered. */
export interface Answered {
  /** Id of the call, as the gateway says it. */
  id: string;
  text: string;
}

/** Clients that call a gateway. */
export interface GatewayLoad {
  /** Calls whose end has reached their client. */
  readonly answered: readonly Answered[];
  /** Calls that were refused, broke off, or found no gateway. */
  readonly broken: number;
  /** Lets the calls in progress end, and begins no more. */
  stop(): Promise<void>;
}

/** Clients that call again and again, by turns in one piece and as a stream; each asks what nobody else asks. */
export function startGatewayLoad({ url, key, clients }: { url: () => string; key: string; clients: number }): GatewayLoad {
  const answered: Answered[] = [];
  let broken = 0;
  let stopping = false;
  const client = async (number: number): Promise<void> => {
    for (let n = 0; !stopping; n += 1) {
      const found = await call({ url: url(), key }, `${number}-${n}`, n % 2 === 0).catch(() => undefined);
      if (found !== undefined) answered.push(found);
      else {
        broken += 1;
        await sleep(50);
      }
    }
  };
  const running = Array.from({ length: clients }, (_, number) => client(number));
  return {
    answered,
    get broken() {
      return broken;
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

/** One call; undefined unless its end has come. */
async function call(to: { url: string; key: string }, question: string, stream: boolean): Promise<Answered | undefined> {
  const response = await fetch(`${to.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${to.key}` },
    body: JSON.stringify({ model: 'small', stream, messages: [{ role: 'user', content: question }] }),
  });
  const body = await response.text();
  const id = response.headers.get('x-request-id');
  if (response.status !== 200 || id === null) return undefined;
  if (!stream) return { id, text: textOf(JSON.parse(body)) };
  const events = [...body.matchAll(/^data: (.*)$/gm)].map(([, data]) => data!);
  if (events.at(-1) !== '[DONE]') return undefined;
  return {
    id,
    text: events
      .slice(0, -1)
      .map((data) => textOf(JSON.parse(data)))
      .join(''),
  };
}

function textOf(completion: unknown): string {
  const { choices = [] } = completion as { choices?: { message?: { content?: string }; delta?: { content?: string } }[] };
  return choices.map(({ message, delta }) => message?.content ?? delta?.content ?? '').join('');
}
