import type { CredentialGrant, HostRule } from '../policy/index.ts';

type Setting = readonly [key: string, value: string];

/** User name that forges take with a token, where the URL names none. */
const TOKEN_USER = 'x-access-token';

/** The URL by which git's settings name a host; `*.` stands for one label there (git-config(1), `http.<url>.*`). */
const urlOf = ({ type, host, port }: HostRule): string => {
  const name = host.includes(':') ? `[${host}]` : host;
  return `https://${type === 'suffix' ? '*.' : ''}${name}${port === undefined || port === 443 ? '' : `:${String(port)}`}`;
};

/** git asks its helper once a server wants a login; the helper prints the placeholder from its variable. */
const loginSettings = ({ sites, hosts, env: [variable] }: CredentialGrant): readonly Setting[] => {
  if (variable === undefined || !sites.some(({ type }) => type === 'basic')) return [];
  return hosts.flatMap((rule): readonly Setting[] => [
    [`credential.${urlOf(rule)}.username`, TOKEN_USER],
    [
      `credential.${urlOf(rule)}.helper`,
      `!f() { test "$1" = get && printf 'password=%s\\n' "$${variable}"; }; f`,
    ],
  ]);
};

/**
 * git's settings inside, as variables (git-config(1), `GIT_CONFIG_COUNT`): fetch, clone and push over
 * HTTPS log in with the placeholders of the session's grants, without anything to set up.
 */
export const gitVariables = (
  grants: readonly CredentialGrant[],
): Readonly<Record<string, string>> => {
  const settings: readonly Setting[] = [
    // The user inside may not be the files' owner in git's eyes (mapped ids); git then refuses the project.
    ['safe.directory', '*'],
    ...grants.flatMap(loginSettings),
  ];
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', String(settings.length)],
    ...settings.flatMap(([key, value], at) => [
      [`GIT_CONFIG_KEY_${String(at)}`, key],
      [`GIT_CONFIG_VALUE_${String(at)}`, value],
    ]),
  ]) as Record<string, string>;
};
