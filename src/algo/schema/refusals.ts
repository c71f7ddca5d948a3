import { z } from 'zod';

/** Why a method has no option of a name that others have, or allows for one value only, by the option's name. */
export type Refusals = Readonly<Record<string, string>>;

/** Reasons for the options that a method's schema leaves out on purpose, and for those it fixes; errors about unknown keys and other values quote them. */
export const refusals = z.registry<{ reasons: Refusals }>();
