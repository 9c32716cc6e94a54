import { join } from 'node:path';

/** Names the folder of the notes to the broker process of a test. */
export const DESTINATIONS_VARIABLE = 'GLOVEBOX_TEST_DESTINATIONS';

/** Where a test's relay notes the destination of the connection from an address of 127.0.0.0/8, each its own. */
export const noteOf = (folder: string, source: string): string => join(folder, `to-${source}`);
