import { z } from 'zod';
import { NO_PRICES } from '../../budget/prices.ts';
import { MillraceError } from '../../errors.ts';
import type { BudgetSettings } from './budget-ledger.ts';

const amount = z.number().min(0);

const settingsSchema = z.object({
  monthly: amount,
  owners: z.record(z.string(), amount),
  prices: z.object({
    models: z.record(z.string(), z.object({ inputPerMillion: amount, outputPerMillion: amount })),
    tools: z.record(z.string(), amount),
  }),
});

/** Where no configuration was ever written: 100 dollars a month and owner, and no prices. */
export const DEFAULT_SETTINGS: BudgetSettings = { monthly: 100_000_000, owners: {}, prices: NO_PRICES };

/** What the owner may spend in a month, in micro-dollars, where nothing was set for it by hand. */
export function configuredLimit({ owners, monthly }: BudgetSettings, owner: string): number {
  return Object.hasOwn(owners, owner) ? owners[owner]! : monthly;
}

export function encodeSettings(settings: BudgetSettings): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(settings));
}

/** Reads what {@link encodeSettings} wrote. Throws `data_loss` for anything else. */
export function decodeSettings(bytes: Uint8Array): BudgetSettings {
  try {
    return settingsSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    const message = 'the settings of budgets cannot be read: start the coordinator again, which writes them';
    throw new MillraceError('data_loss', message, { cause });
  }
}
