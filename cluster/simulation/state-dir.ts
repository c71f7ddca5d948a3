/** Folder of checkpoints and artifacts on the simulated disk. */
export const STATE_DIR = '/state';
