import { defineFlow } from '../../src/index.ts';
import sortLetters from '../../docs/shortest-flow/flow.ts';

/** The flow that sorts letters, for words that are given as queries: the outcome is the word that was expected. */
export default defineFlow({
  ...sortLetters,
  fromQuery: ({ query, index }) => ({ id: `query-${index}`, word: query }),
});
