export { exportHar, exportJsonl } from './export.ts';
export type { TimelineFailure, TimelineFile, TimelineReader, TimelineWriter } from './port.ts';
export { openTimelineReader } from './reader.ts';
export { openTimelineWriter } from './writer.ts';
