import type { TerminalId } from '../contract/index.ts';
import type { TerminalAttachment } from '../terminal/port.ts';

/** The terminals that one connection looks at, so that its acknowledgements and sizes count for it alone. */
export type Attachments = {
  readonly add: (terminal: TerminalId, attachment: TerminalAttachment) => () => void;
  readonly of: (terminal: TerminalId) => readonly TerminalAttachment[];
};

export const createAttachments = (): Attachments => {
  const all = new Map<TerminalId, Set<TerminalAttachment>>();
  return {
    add: (terminal, attachment) => {
      const here = all.get(terminal) ?? new Set();
      here.add(attachment);
      all.set(terminal, here);
      return () => {
        here.delete(attachment);
        if (here.size === 0) all.delete(terminal);
      };
    },
    of: (terminal) => Array.from(all.get(terminal) ?? []),
  };
};
