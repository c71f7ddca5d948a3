// A vitest reporter that ends a run with one plain line, "N passed, N failed", which CI reads.

/** Prints the line; skipped tests are counted only when there are some. */
export default class ClosingLine {
  async onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file that cannot be loaded has no tests to count, but it failed.
      if (module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state in counts) counts[state] += 1;
      }
    }
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    // The other reporters write their summaries in this turn; this is the last line.
    await new Promise((resolve) => setImmediate(resolve));
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  }
}
