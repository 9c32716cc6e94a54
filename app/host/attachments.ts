import type { TerminalId, TerminalSize } from '../contract/index.ts';
import type { TerminalAttachment } from '../terminal/port.ts';

/** The terminals that one connection looks at, so that its acknowledgements and sizes count for it alone. */
export type Attachments = {
  readonly add: (terminal: TerminalId, attachment: TerminalAttachment) => () => void;
  readonly ack: (terminal: TerminalId, bytes: number) => void;
  /** The connection's size of a terminal; one that comes before the terminal is attached counts from then on. */
  readonly resize: (terminal: TerminalId, size: TerminalSize) => void;
};

export const createAttachments = (): Attachments => {
  const all = new Map<TerminalId, Set<TerminalAttachment>>();
  const early = new Map<TerminalId, TerminalSize>();
  return {
    add: (terminal, attachment) => {
      const here = all.get(terminal) ?? new Set();
      here.add(attachment);
      all.set(terminal, here);
      const size = early.get(terminal);
      early.delete(terminal);
      if (size !== undefined) attachment.resize(size);
      return () => {
        here.delete(attachment);
        if (here.size === 0) all.delete(terminal);
      };
    },
    ack: (terminal, bytes) => {
      for (const attachment of all.get(terminal) ?? []) attachment.ack(bytes);
    },
    resize: (terminal, size) => {
      const here = all.get(terminal);
      if (here === undefined) early.set(terminal, size);
      else for (const attachment of here) attachment.resize(size);
    },
  };
};
