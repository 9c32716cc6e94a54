/** Switches that turn protections off or let another program in; a packaged app does not start with them. */
const REFUSED = [
  'remote-debugging-port',
  'remote-debugging-pipe',
  'remote-debugging-address',
  'remote-allow-origins',
  'inspect',
  'inspect-brk',
  'inspect-port',
  'inspect-wait',
  'js-flags',
  'no-sandbox',
  'disable-setuid-sandbox',
  'disable-gpu-sandbox',
  'disable-web-security',
  'disable-site-isolation-trials',
  'ignore-certificate-errors',
  'allow-running-insecure-content',
  'allow-file-access-from-files',
  'unsafely-treat-insecure-origin-as-secure',
  'load-extension',
  'proxy-server',
  'proxy-pac-url',
  'host-rules',
  'host-resolver-rules',
  'renderer-cmd-prefix',
  'utility-cmd-prefix',
  'gpu-launcher',
  'require',
  'app',
];

/** Switches that desktops and users pass for good reasons: display server, language, scale, software drawing. */
const KNOWN = new Set([
  'ozone-platform',
  'ozone-platform-hint',
  'enable-wayland-ime',
  'force-device-scale-factor',
  'disable-gpu',
  'lang',
  'password-store',
  'original-process-start-time',
]);

const nameOf = (argument: string): string | undefined =>
  /^--?([A-Za-z][A-Za-z0-9-]*)(?:=|$)/.exec(argument)?.[1]?.toLowerCase();

/** Sorts an argument list: what must not be there, and what is not known (and has no effect here). */
export const judgeSwitches = (
  args: readonly string[],
): { readonly refused: readonly string[]; readonly unknown: readonly string[] } => {
  const names = args.map(nameOf).filter((name) => name !== undefined);
  return {
    refused: names.filter((name) => REFUSED.includes(name)),
    unknown: names.filter((name) => !REFUSED.includes(name) && !KNOWN.has(name)),
  };
};
