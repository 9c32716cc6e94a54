/** Most records in one message from the broker process. */
export const MAX_BATCH_RECORDS = 256;
