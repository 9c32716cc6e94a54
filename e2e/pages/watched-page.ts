import type { Page } from '@playwright/test';

/** What a page must never show: complaints of its own, and what came over its wire. */
export type Watched = {
  /** Errors of scripts, of the console and of the content security policy (Chromium reports those there). */
  readonly problems: readonly string[];
  /** Every message from the host, as it came over the WebSocket. */
  readonly received: readonly string[];
  readonly sent: readonly string[];
};

/** Listens from before the first page on. */
export const watchPage = (page: Page): Watched => {
  const problems: string[] = [];
  const received: string[] = [];
  const sent: string[] = [];
  page.on('pageerror', (failure) => problems.push(failure.message));
  page.on('console', (message) => {
    const { type, text } = { type: message.type(), text: message.text() };
    // Chromium's own remark on drawing without a graphics card.
    if (text.includes('GL Driver Message')) return;
    if (type === 'error' || type === 'warning') problems.push(text);
  });
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => received.push(payload.toString()));
    socket.on('framesent', ({ payload }) => sent.push(payload.toString()));
  });
  return { problems, received, sent };
};

/** The element that has the focus, as `tag "name"`; undefined where it is the body, or does not show it. */
export const visibleFocus = (page: Page): Promise<string | undefined> =>
  page.evaluate<string | undefined>(`(() => {
    const at = document.activeElement;
    if (at === null || at === document.body || at === document.documentElement) return undefined;
    const name = at.getAttribute('aria-label') ?? at.textContent?.trim().slice(0, 40) ?? '';
    const words = at.tagName.toLowerCase() + ' "' + name + '"';
    // A terminal draws its own cursor; its text field is out of sight.
    if (at.closest('.xterm') !== null) return words;
    // The field in a box may leave the outline to the box.
    const drawn = [at, at.parentElement].some((element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return outlineStyle !== 'none' && parseFloat(outlineWidth) > 0;
    });
    const { width, height } = at.getBoundingClientRect();
    return drawn && width > 0 && height > 0 ? words : undefined;
  })()`);
