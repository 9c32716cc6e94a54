export { containerSource, EXIT_GRACE_MS, MAX_WAITING_INPUT_BYTES } from './container-source.ts';
export { hostPty } from './host-pty.ts';
export type { HostPtyOptions, PtyModule } from './host-pty.ts';
export type { Terminal, TerminalAttachment, TerminalSource, TerminalViewer } from './port.ts';
export { MAX_SNAPSHOT_BYTES, SCROLLBACK_LINES } from './screen.ts';
export { createTerminal, MAX_INPUT_BYTES } from './terminal.ts';
export type { TerminalOptions } from './terminal.ts';
export { HIGH_WATER_BYTES, LOW_WATER_BYTES, STALL_MS, VIEWER_BUFFER_BYTES } from './viewer.ts';
