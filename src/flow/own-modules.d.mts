/** Prefix of imports in a bundle that mean modules of the package that runs it. */
export declare const OWN_SCHEME: string;
