/** What compiled code may rely on: the kind of processor, with what it can do where the system tells. */
export function processor(): string;
