/** The scheme that the window is served from; nothing else is ever loaded. */
export const SCHEME = 'app';
export const PAGE_ORIGIN = `${SCHEME}://glovebox`;
export const PAGE_URL = `${PAGE_ORIGIN}/`;
/** Carries one MessagePort from the preload to the main process. */
export const PORT_CHANNEL = 'glovebox:port';
/** Tells the page that the port is in this message. */
export const PORT_MESSAGE = 'glovebox-port';
