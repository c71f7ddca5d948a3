// Limits of size for src, cluster and web, as ESLint configuration.
const FILES = ['{src,cluster,web}/**/*.{js,ts,tsx}'];
/** Their functions are lists of cases. */
const SUITES = ['**/*.test.ts', '**/*.accept.ts', '**/*conformance.ts', '**/*conformance/**'];

const RULES = {
  'millrace/class-length': ['error', { max: 200 }],
  'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', { max: 4 }],
};

/** The limits. */
export const limits = [
  { files: FILES, rules: RULES },
  { files: SUITES, rules: { 'max-lines-per-function': 'off' } },
];
