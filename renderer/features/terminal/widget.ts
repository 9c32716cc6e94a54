import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal, type ITheme } from '@xterm/xterm';
import type { TerminalSize } from '../../../app/contract/index.ts';
import type { Scope } from '../../../app/kit/index.ts';
import { readColours } from '../../ui/colour.ts';
import { cleanPaste } from './paste.ts';
import { createStylesDocument, withStandIns } from './styles-document.ts';

/** Lines kept above the screen. */
export const SCROLLBACK_LINES = 5_000;

export type WidgetOptions = {
  readonly mac: boolean;
  readonly screenReader: boolean;
  readonly renderer: 'auto' | 'dom';
  readonly label: string;
};

export type WidgetEvents = {
  readonly onInput: (text: string, encoding: 'utf8' | 'binary') => void;
  readonly onSize: (size: TerminalSize) => void;
  /** A link was pressed with the modifier held. */
  readonly onLink: (address: string) => void;
  /** The pointer is over a link (or left it): where it really leads. */
  readonly onLinkHover: (address: string | undefined) => void;
};

export type Widget = {
  readonly terminal: Terminal;
  readonly search: SearchAddon;
  readonly fit: () => void;
  readonly setScreenReader: (on: boolean) => void;
  readonly retheme: () => void;
};

const ANSI_DARK: ITheme = {
  black: '#1b2024',
  red: '#f0736a',
  green: '#6cc98f',
  yellow: '#e0a63a',
  blue: '#6fb0e8',
  magenta: '#a997f5',
  cyan: '#3fb6a8',
  white: '#b6c0c5',
  brightBlack: '#6f7b82',
  brightRed: '#ff938b',
  brightGreen: '#8ee0ab',
  brightYellow: '#f2c264',
  brightBlue: '#96c8f4',
  brightMagenta: '#c3b6ff',
  brightCyan: '#6dd3c6',
  brightWhite: '#eef2f3',
};

const ANSI_LIGHT: ITheme = {
  black: '#14191a',
  red: '#b3261e',
  green: '#1c7443',
  yellow: '#8a5a00',
  blue: '#1c66a6',
  magenta: '#5b44bd',
  cyan: '#0b7268',
  white: '#667073',
  brightBlack: '#5c676a',
  brightRed: '#c8372e',
  brightGreen: '#258a52',
  brightYellow: '#9a6700',
  brightBlue: '#2a78bd',
  brightMagenta: '#6f58d0',
  brightCyan: '#128477',
  brightWhite: '#2b3335',
};

const themeNow = (): ITheme => {
  const colours = readColours(['bg-0', 'fg-0', 'accent', 'bg-3']);
  const [red = 0] = (/\d+/.exec(colours['bg-0']) ?? []).map(Number);
  return {
    ...(red < 128 ? ANSI_DARK : ANSI_LIGHT),
    background: colours['bg-0'],
    foreground: colours['fg-0'],
    cursor: colours.accent,
    cursorAccent: colours['bg-0'],
    selectionBackground: red < 128 ? '#2b5550' : '#bfe3de',
  };
};

/** Makes one terminal widget in `parent`. What it shows is hostile: it answers no reports about itself beyond the usual, opens nothing, copies nothing by itself. */
export const createWidget = (
  parent: HTMLElement,
  options: WidgetOptions,
  events: WidgetEvents,
  scope: Scope,
): Widget => {
  const terminal = new Terminal({
    documentOverride: createStylesDocument(document),
    fontFamily: "'JetBrains Mono', ui-monospace, monospace",
    fontSize: 12.5,
    lineHeight: 1.25,
    scrollback: SCROLLBACK_LINES,
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    cursorInactiveStyle: 'outline',
    macOptionIsMeta: true,
    macOptionClickForcesSelection: true,
    minimumContrastRatio: 4.5,
    screenReaderMode: options.screenReader,
    theme: themeNow(),
    // Title and size reports would let output type into the shell; all of them stay off.
    windowOptions: {},
    linkHandler: {
      allowNonHttpProtocols: false,
      activate: (event, address) => {
        if (options.mac ? event.metaKey : event.ctrlKey) events.onLink(address);
      },
      hover: (_event, address) => {
        events.onLinkHover(address);
      },
      leave: () => {
        events.onLinkHover(undefined);
      },
    },
  });
  scope.defer(() => {
    terminal.dispose();
  });
  // OSC 52 writes to, or reads, the clipboard of the host.
  terminal.parser.registerOscHandler(52, () => true);
  const fitAddon = new FitAddon();
  const search = new SearchAddon();
  terminal.loadAddon(fitAddon);
  terminal.loadAddon(search);
  withStandIns(document, () => {
    terminal.open(parent);
  });
  terminal.textarea?.setAttribute('aria-label', options.label);
  terminal.textarea?.setAttribute('data-pane-focus', '');

  if (options.renderer === 'auto') {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose();
      });
      terminal.loadAddon(webgl);
    } catch {
      // No WebGL here: the widget's own rows do the same, slower.
    }
  }

  terminal.attachCustomKeyEventHandler((event) => {
    if (event.type !== 'keydown' || options.mac || !event.ctrlKey || !event.shiftKey) return true;
    const key = event.key.toLowerCase();
    if (key === 'c') {
      event.preventDefault();
      const text = terminal.getSelection();
      if (text !== '') void navigator.clipboard.writeText(text);
      return false;
    }
    // The browser pastes; the listener below cleans what it pastes.
    return key !== 'v';
  });
  const onPaste = (event: ClipboardEvent): void => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (text !== '') terminal.paste(cleanPaste(text));
  };
  parent.addEventListener('paste', onPaste, { capture: true });
  scope.defer(() => {
    parent.removeEventListener('paste', onPaste, { capture: true });
  });

  terminal.onData((text) => {
    events.onInput(text, 'utf8');
  });
  terminal.onBinary((text) => {
    events.onInput(text, 'binary');
  });
  terminal.onResize(({ cols, rows }) => {
    events.onSize({ columns: cols, rows });
  });

  const fit = (): void => {
    if (parent.offsetParent === null) return;
    const proposed = fitAddon.proposeDimensions();
    if (proposed === undefined || Number.isNaN(proposed.cols)) return;
    const columns = Math.max(2, Math.min(1000, proposed.cols));
    const rows = Math.max(1, Math.min(1000, proposed.rows));
    if (columns !== terminal.cols || rows !== terminal.rows) terminal.resize(columns, rows);
    events.onSize({ columns, rows });
  };
  const observer = new ResizeObserver(() => {
    fit();
  });
  observer.observe(parent);
  scope.defer(() => {
    observer.disconnect();
  });

  return {
    terminal,
    search,
    fit,
    setScreenReader: (on) => {
      terminal.options.screenReaderMode = on;
    },
    retheme: () => {
      terminal.options.theme = themeNow();
    },
  };
};
