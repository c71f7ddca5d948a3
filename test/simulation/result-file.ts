import { writeFile } from 'node:fs/promises';
import { MillraceError } from '../../src/errors.ts';

/** Writes what an option asked for to its file. @throws MillraceError that names the option and the file */
export async function writeResult(option: string, file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((thrown: NodeJS.ErrnoException) => {
    throw new MillraceError('invalid_argument', `${option}: ${file} cannot be written (${thrown.code}); choose another path`, {
      cause: thrown,
    });
  });
}
