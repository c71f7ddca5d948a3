/** A process with a port, for tests that are its clients: tells its URL to the parent, and ends when that is gone. */
import { openTestPort } from './testing.ts';

const port = await openTestPort();
process.on('disconnect', () => void port.stop().then(() => process.exit(0)));
process.send!({ url: port.url });
