import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * A provider of language models in a process of its own: streams of chat completions, one event every EVENT_MS, that say when they were sent. Arguments:
 * events of a stream, milliseconds between them.
 */

const [events = 40, everyMs = 50] = process.argv.slice(2).map(Number);
const now = (): number => performance.timeOrigin + performance.now();
const event = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      if (sent <= events) return void response.write(event({ content: `${now()};` }, null));
      clearInterval(timer);
      response.end(`${event({ content: `${now()};` }, 'stop')}data: [DONE]\n\n`);
    }, everyMs);
    response.once('close', () => clearInterval(timer));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit());
