import type { Observer } from '../observer.ts';

/** One invariant: looks at what happens, and says where it does not hold. */
export type Check = Partial<Observer>;

/** How a check says that its invariant is broken; the run ends with the first one. */
export type Fail = (invariant: string, message: string) => void;
