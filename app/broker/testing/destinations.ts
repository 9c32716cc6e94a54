import { join } from 'node:path';

/** Names the folder of the notes to the broker process of a test. */
export const DESTINATIONS_VARIABLE = 'GLOVEBOX_TEST_DESTINATIONS';

/** Names the memory that the broker process of a test may take, as JSON. */
export const MEMORY_VARIABLE = 'GLOVEBOX_TEST_MEMORY';

/** Where a test's relay notes the destination of the connection from an address of 127.0.0.0/8, each its own. */
export const noteOf = (folder: string, source: string): string => join(folder, `to-${source}`);
