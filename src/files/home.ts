import { homedir } from 'node:os';
import { join } from 'node:path';

/** Whether a path begins in the home folder of whoever reads it. */
export const isOfHome = (path: string): boolean => path.startsWith('~/');

/** The path with `~/` as the home folder of this account. */
export const withHome = (path: string): string => (isOfHome(path) ? join(homedir(), path.slice(2)) : path);
