import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { classLength } from './scripts/eslint/class-length.js';
import { layers } from './scripts/eslint/layers.js';
import { limits } from './scripts/eslint/limits.js';
import { oneSource, REAL } from './scripts/eslint/one-source.js';
import { wireNames } from './scripts/eslint/wire-names.js';

/** Tests, and what they run. */
const TESTS = ['**/conformance/**', '**/*conformance.ts', '**/*.test.ts', '**/testing-*.ts', '**/*.fixture.ts'];

export default defineConfig(
  globalIgnores(['node_modules/', 'dist/', 'src/gen/', '.millrace/', 'coverage/', 'src/compute/native/build/', 'deploy/pulumi/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,ts,tsx}'],
    plugins: { millrace: { rules: { 'class-length': classLength, layers, 'one-source': oneSource, 'wire-names': wireNames } } },
    rules: {
      'millrace/layers': 'error',
      'max-lines': ['error', { max: 450, skipBlankLines: false, skipComments: false }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['{src,cluster}/**/*.ts'],
    ignores: ['src/protocol/**', ...TESTS],
    rules: { 'millrace/wire-names': 'error' },
  },
  {
    files: ['{src,cluster}/**/*.ts'],
    ignores: [...TESTS, ...REAL.map(({ path }) => (path.endsWith('.ts') ? path : `${path}/**`))],
    rules: { 'millrace/one-source': 'error' },
  },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/return-await': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Typed arrays and tensors are cast where the library's own types are wider than what it returns.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // An interface's implementation may be synchronous; callers await it all the same.
      '@typescript-eslint/require-await': 'off',
    },
  },
  ...limits,
  {
    // Flows are held with their type parameters erased, and `any` alone is assignable in both directions.
    files: ['src/{flow,tasks,reward,workflow}/**'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' },
  },
  {
    // Golden numbers and recorded messages are JSON.
    files: ['**/*.test.{ts,tsx}'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  // The command line and the scripts talk to people.
  { files: ['cluster/cli/**', 'scripts/**', 'bench/**', 'bin/**', 'test/simulation/main.ts'], rules: { 'no-console': 'off' } },
);
