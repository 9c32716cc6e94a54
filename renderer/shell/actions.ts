/** A key with its modifiers, in the words of `KeyboardEvent.key`. */
export type Combo = {
  readonly key: string;
  readonly meta?: boolean;
  readonly ctrl?: boolean;
  readonly shift?: boolean;
  readonly alt?: boolean;
};

export type Platform = {
  readonly mac: boolean;
  /** False in a browser tab, which keeps some combinations (new window, new tab) for itself. */
  readonly desktop: boolean;
};

const GROUPS = ['Anywhere', 'Session', 'Timeline', 'Review', 'Credentials'] as const;
export type ActionGroup = (typeof GROUPS)[number];
export const ACTION_GROUPS: readonly ActionGroup[] = GROUPS;

type Definition = {
  readonly title: string;
  readonly group: ActionGroup;
  /** With a modifier: works in a terminal too. The letter, and whether Shift is held on a Mac. */
  readonly mod?: {
    readonly key: string;
    readonly macShift?: boolean;
    readonly browserKey?: string;
  };
  /** Without a modifier: works outside text fields and terminals. */
  readonly plain?: string;
};

/**
 * Every action with its keys. On a Mac they use ⌘; elsewhere Ctrl+Shift, as terminals do, because a plain
 * Ctrl key belongs to the program in the terminal (Ctrl+R searches a shell's history).
 */
export const ACTIONS = {
  palette: { title: 'Find an action or a session', group: 'Anywhere', mod: { key: 'k' } },
  'session.new': {
    title: 'New session',
    group: 'Anywhere',
    mod: { key: 'n', browserKey: 'o' },
  },
  'credentials.open': {
    title: 'Credentials',
    group: 'Anywhere',
    mod: { key: 'e', macShift: true },
  },
  'pane.next': { title: 'Go to the next pane', group: 'Anywhere', plain: 'F6' },
  'theme.cycle': {
    title: 'Switch theme: system, light, dark',
    group: 'Anywhere',
    mod: { key: 'd', macShift: true },
  },
  'shortcuts.show': { title: 'Keyboard shortcuts', group: 'Anywhere', plain: '?' },
  'guarantees.show': { title: 'What is promised here', group: 'Anywhere', plain: 'p' },
  'screen-reader.toggle': {
    title: 'Screen reader mode in terminals',
    group: 'Anywhere',
    mod: { key: 'u', macShift: true },
  },
  'session.start': { title: 'Start session', group: 'Session', mod: { key: 'Enter' } },
  'session.stop': {
    title: 'Stop this session',
    group: 'Session',
    mod: { key: 'x', macShift: true },
  },
  'session.next': {
    title: 'Next session',
    group: 'Session',
    mod: { key: 'ArrowDown', macShift: true },
  },
  'session.previous': {
    title: 'Previous session',
    group: 'Session',
    mod: { key: 'ArrowUp', macShift: true },
  },
  'terminal.shell': {
    title: 'Open a shell in the sandbox',
    group: 'Session',
    mod: { key: 's', macShift: true },
  },
  'terminal.next': {
    title: 'Next terminal',
    group: 'Session',
    mod: { key: 'ArrowRight', macShift: true },
  },
  'terminal.search': { title: 'Search in the terminal', group: 'Session', mod: { key: 'f' } },
  'timeline.filter': { title: 'Filter the timeline', group: 'Timeline', plain: '/' },
  'timeline.newest': { title: 'Jump to the newest', group: 'Timeline', plain: 'n' },
  'timeline.verify': { title: 'Verify the timeline', group: 'Timeline', plain: 'v' },
  'timeline.all': { title: 'Show all', group: 'Timeline', plain: '1' },
  'timeline.egress': { title: 'Show egress', group: 'Timeline', plain: '2' },
  'timeline.files': { title: 'Show files', group: 'Timeline', plain: '3' },
  'timeline.credentials': { title: 'Show credentials', group: 'Timeline', plain: '4' },
  'timeline.blocked': { title: 'Show blocked', group: 'Timeline', plain: '5' },
  'review.open': { title: 'Review changes', group: 'Review', mod: { key: 'r' } },
  'review.accept': { title: 'Accept all changes', group: 'Review', plain: 'a' },
  'review.discard': { title: 'Discard all changes', group: 'Review', plain: 'd' },
  'review.forget': { title: 'Forget this session', group: 'Review', plain: 'f' },
  'credentials.add': { title: 'Add a credential', group: 'Credentials', plain: 'c' },
} as const satisfies Record<string, Definition>;

export type ActionId = keyof typeof ACTIONS;
export const ACTION_IDS = Object.keys(ACTIONS) as readonly ActionId[];

/** The combination that does it on this platform. */
export const comboOf = (id: ActionId, platform: Platform): Combo => {
  const definition: Definition = ACTIONS[id];
  const { mod } = definition;
  if (mod === undefined) return { key: definition.plain ?? '' };
  const browserKey = platform.desktop ? undefined : mod.browserKey;
  const key = browserKey ?? mod.key;
  return platform.mac
    ? { key, meta: true, shift: mod.macShift === true || browserKey !== undefined }
    : { key, ctrl: true, shift: true };
};

const NAMES: Readonly<Record<string, string>> = {
  ArrowDown: '↓',
  ArrowUp: '↑',
  ArrowLeft: '←',
  ArrowRight: '→',
  Enter: '↵',
};

/** As it stands on a button: `⌘K`, `Ctrl ⇧ K`. */
export const showCombo = (combo: Combo, platform: Platform): string => {
  const name = NAMES[combo.key] ?? (combo.key.length === 1 ? combo.key.toUpperCase() : combo.key);
  if (platform.mac) {
    return `${combo.alt === true ? '⌥' : ''}${combo.shift === true ? '⇧' : ''}${combo.meta === true ? '⌘' : ''}${name}`;
  }
  const parts = [
    combo.ctrl === true && 'Ctrl',
    combo.alt === true && 'Alt',
    combo.shift === true && '⇧',
    name,
  ];
  return parts.filter((part) => part !== false).join(' ');
};

/** As `aria-keyshortcuts` spells it. */
export const ariaCombo = (combo: Combo): string =>
  [
    combo.meta === true && 'Meta',
    combo.ctrl === true && 'Control',
    combo.alt === true && 'Alt',
    combo.shift === true && 'Shift',
    combo.key,
  ]
    .filter((part) => part !== false)
    .join('+');

export type Pressed = Pick<KeyboardEvent, 'key' | 'metaKey' | 'ctrlKey' | 'shiftKey' | 'altKey'>;

const fits = (event: Pressed, combo: Combo): boolean => {
  const plain = combo.meta !== true && combo.ctrl !== true && combo.alt !== true;
  return (
    event.key.toLowerCase() === combo.key.toLowerCase() &&
    event.metaKey === (combo.meta ?? false) &&
    event.ctrlKey === (combo.ctrl ?? false) &&
    event.altKey === (combo.alt ?? false) &&
    // `?` and `/` need Shift on some keyboards and not on others.
    (plain || event.shiftKey === (combo.shift ?? false))
  );
};

/** Which action a key press asks for. `typing`: the focus is in a text field or a terminal; plain keys are text there. */
export const actionOf = (
  event: Pressed,
  typing: 'no' | 'field' | 'terminal',
  platform: Platform,
): ActionId | undefined => {
  for (const id of ACTION_IDS) {
    const definition: Definition = ACTIONS[id];
    const combo = comboOf(id, platform);
    const named = combo.key.length > 1;
    const allowed = definition.mod !== undefined || typing === 'no' || named;
    if (allowed && fits(event, combo)) return id;
  }
  // Outside a terminal Ctrl+K alone finds actions, as everywhere on these systems.
  if (!platform.mac && typing !== 'terminal' && fits(event, { key: 'k', ctrl: true })) {
    return 'palette';
  }
  return undefined;
};
