import { Option, type Command } from 'commander';
import { WRITTEN_TYPES } from '../../../src/tensor-files/write-safetensors.ts';
import type { CliContext } from '../context.ts';
import type { ExportFlags } from '../export-checkpoint.ts';

/** `millrace checkpoint export`: the weights of a checkpoint for other programs. */
export function register(parent: Command, context: CliContext): void {
  parent
    .command('export')
    .description('write the weights of a checkpoint in a form that other programs read')
    .argument('<folder>', 'folder of the checkpoint')
    .requiredOption('--format <format>', 'of language models: peft (the adapter), or safetensors (the whole model, merged)')
    .requiredOption('--out <folder>', 'where to write it: a folder that is empty or not there')
    .option('--base <path>', 'where the base model is now; default: where the job had it')
    .addOption(new Option('--numbers <type>', 'type of the numbers of merged weights').choices([...WRITTEN_TYPES]).default('F32'))
    .action(async (folder: string, flags: ExportFlags) => {
      const { exportCheckpoint } = await import('../export-checkpoint.ts');
      await exportCheckpoint(folder, flags, context);
    });
}
