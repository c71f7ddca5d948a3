// Whether the node of this container answers: the health check of the images. An answer that takes longer counts as none.
//
//   node healthy.js [/readyz]      default: /healthz
const port = process.env.MILLRACE_CLUSTER__NETWORK__HTTPPORT ?? '9464';
const address = `http://127.0.0.1:${port}${process.argv[2] ?? '/healthz'}`;
try {
  const answer = await fetch(address, { signal: AbortSignal.timeout(4_000) });
  process.stdout.write(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`${address}: ${error.cause?.message ?? error.message}\n`);
  process.exitCode = 1;
}
