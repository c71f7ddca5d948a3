import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock } from '../../src/clock/system.ts';
import { readModelsFile } from '../../src/config/models/models-file.ts';
import { OpenModels } from '../../src/config/models/open-models.ts';
import { MillraceError } from '../../src/errors.ts';
import { memoryRates } from '../../src/model/rate/rate-store.ts';
import type { CliContext } from './context.ts';

/** Opens the models file of a command. @throws MillraceError `not_found` where there is none */
export function modelsOf({ cwd, env }: Pick<CliContext, 'cwd' | 'env'>, given: string | undefined): OpenModels {
  const path = resolve(cwd, given ?? env['MILLRACE_MODELS'] ?? 'models.yaml');
  if (!existsSync(path))
    throw new MillraceError(
      'not_found',
      `${path}: there is no such file of models; write one (docs/model-clients.md), or give --models`,
      {
        field: '--models',
      },
    );
  return new OpenModels(readModelsFile(path), { path, env, clock: systemClock, rates: memoryRates() });
}
