import type { Mutation } from './mutation.ts';

/** Mistakes in the writer, and in what is kept on disk. */
export const recordMutations: readonly Mutation[] = [
  {
    name: 'ack-before-storage',
    file: 'cluster/store/writer.ts',
    edits: [
      {
        find: '    const fate = await this.#batcher.add(item);',
        replace: '    await delivery.settle(DONE);\n    const fate = await this.#batcher.add(item);',
      },
    ],
    breaks: 'Exact accounting: a group leaves SCORED before its rows are in the store.',
  },
  {
    name: 'retried-insert-drops-rows',
    file: 'src/store/batch.ts',
    edits: [{ find: 'of blocks) await context.store.insert', replace: 'of blocks.splice(0)) await context.store.insert' }],
    breaks: 'Exact accounting: an insert that failed is repeated without the rows that were tried before.',
  },
  {
    name: 'refused-batch-loses-its-middle',
    file: 'src/store/batch.ts',
    edits: [
      {
        find: 'await insertItems(items.slice(middle), context);',
        replace: 'await insertItems(items.slice(middle + 1), context);',
      },
    ],
    breaks: 'Exact accounting: of a batch that is split because it is too large, one message is never written.',
  },
  {
    name: 'end-of-job-purges-unstored-groups',
    file: 'cluster/coordinator/ending.ts',
    edits: [
      {
        find: '  await bus.purge(HELD, heldSubject(record.id));\n',
        replace: '  await bus.purge(HELD, heldSubject(record.id));\n  await bus.purge(SCORED, `scored.${record.id}.>`);\n',
      },
    ],
    breaks: 'Exact accounting: groups that were trained on and are not yet stored are deleted with the job.',
  },
  {
    name: 'checkpoint-without-sync',
    file: 'src/checkpoint/write-folder.ts',
    edits: [{ find: '    await file.sync();\n', replace: '' }],
    breaks: 'A checkpoint is whole or not there: after a loss of power it has files without their content.',
  },
  {
    name: 'checkpoint-folder-without-sync',
    file: 'src/checkpoint/write-folder.ts',
    edits: [{ find: '    await files.syncFolder(draft);\n', replace: '' }],
    breaks: 'A checkpoint is whole or not there: after a loss of power it lacks files.',
  },
  {
    name: 'artifact-without-sync',
    file: 'src/artifacts/file-artifacts.ts',
    edits: [{ find: '      await file.sync();\n', replace: '' }],
    breaks: 'A checkpoint is whole or not there: after a loss of power its files, links to artifacts, have no content.',
  },
  {
    name: 'batch-behind-an-insert-waits',
    file: 'src/store/batcher.ts',
    edits: [{ find: '      this.#inserting -= 1;\n      this.#pump();', replace: '      this.#inserting -= 1;' }],
    breaks: 'Exact accounting: what came while a batch was inserted is not stored until something else comes.',
  },
];
