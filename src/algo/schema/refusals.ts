import { z } from 'zod';

/** Why a method has no option of a name that others have, by the option's name. */
export type Refusals = Readonly<Record<string, string>>;

/** Reasons for the options that a method's schema leaves out on purpose; errors about unknown keys quote them. */
export const refusals = z.registry<{ reasons: Refusals }>();
