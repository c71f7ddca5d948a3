/** Import cycles, type imports included: npm run cycles. */
export default {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'a module must not import itself through others, not even for types',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^src/gen/', '\\.test\\.ts$'] },
  },
};
