/** Code of the notice of a job that waits because something asked to be called later (RetryLater). */
export const ADMISSION_HELD = 'ADMISSION_HELD';
