/** Most characters of one paste. */
export const MAX_PASTE_CHARS = 4 * 1024 * 1024;

/** What a paste may carry: text, tabs and line ends. An escape in it could end a bracketed paste early and type commands. */
export const cleanPaste = (text: string): string =>
  text
    .slice(0, MAX_PASTE_CHARS)
    // oxlint-disable-next-line no-control-regex -- these are what is taken out
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '');
