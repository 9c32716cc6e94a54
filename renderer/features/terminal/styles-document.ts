// The widget puts three <style> elements into the page and writes style attributes into its rows. A strict
// `style-src 'self'` refuses both. Constructed style sheets and the CSSOM say the same and need no exception,
// so the widget gets a document whose elements speak them.

type Create = (name: string, options?: ElementCreationOptions) => HTMLElement;

/** The browser's own, whatever stands before it on the page's document just now. */
const ownCreate = (): Create => Reflect.get(Document.prototype, 'createElement');

const styleStandIn = (page: Document): HTMLElement => {
  const sheet = new CSSStyleSheet();
  const element = ownCreate().call(page, 'meta');
  let text = '';
  page.adoptedStyleSheets.push(sheet);
  Object.defineProperty(element, 'textContent', {
    get: () => text,
    set: (next: string) => {
      text = next;
      sheet.replaceSync(next);
    },
  });
  const drop = (): void => {
    const at = page.adoptedStyleSheets.indexOf(sheet);
    if (at >= 0) page.adoptedStyleSheets.splice(at, 1);
  };
  element.remove = () => {
    drop();
    HTMLElement.prototype.remove.call(element);
  };
  return element;
};

const withCssom = <E extends HTMLElement>(element: E): E => {
  element.setAttribute = (name: string, value: string) => {
    if (name === 'style') element.style.cssText = value;
    else HTMLElement.prototype.setAttribute.call(element, name, value);
  };
  return element;
};

const createOf =
  (page: Document): Create =>
  (name, options) => {
    if (name === 'style') return styleStandIn(page);
    const element = ownCreate().call(page, name, options);
    return name === 'span' ? withCssom(element) : element;
  };

/** A view of the page's document for the terminal widget, under which a strict style policy needs no exception. */
export const createStylesDocument = (page: Document): Document =>
  new Proxy(page, {
    get: (target, key) => {
      if (key === 'createElement') return createOf(page);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });

/**
 * Runs `open` while the page's own document speaks the same: the widget's viewport (xterm 6.0) makes its
 * style element with the page's document whatever document it was given.
 */
export const withStandIns = (page: Document, open: () => void): void => {
  Object.defineProperty(page, 'createElement', { value: createOf(page), configurable: true });
  try {
    open();
  } finally {
    // The prototype's own comes to light again.
    Reflect.deleteProperty(page, 'createElement');
  }
};
