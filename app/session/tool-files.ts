import type { CredentialGrant, HostRule } from '../policy/index.ts';
import type { HomeFile } from './assistant-home.ts';
import { SANDBOX_HOME } from './etc-files.ts';

/** npm's name for a registry (npmrc(5), “Auth related configuration”); a wildcard stands for its usual host. */
const registryOf = ({ type, host, port }: HostRule): string => {
  const name = type === 'suffix' ? `registry.${host}` : host;
  return `//${name}${port === undefined || port === 443 ? '' : `:${String(port)}`}/`;
};

/** npm takes its token from its own file alone; the file names the variable that holds the placeholder. */
const npmLines = ({ kind, hosts, env: [variable] }: CredentialGrant): readonly string[] =>
  kind !== 'npm' || variable === undefined
    ? []
    : hosts.map((rule) => `${registryOf(rule)}:_authToken=\${${variable}}`);

/** Settings of tools that would not find a placeholder in its variable. No secret is in them. */
export const toolFiles = (grants: readonly CredentialGrant[]): readonly HomeFile[] => {
  const npm = [...new Set(grants.flatMap(npmLines))];
  return npm.length === 0 ? [] : [{ path: `${SANDBOX_HOME}/.npmrc`, text: `${npm.join('\n')}\n` }];
};
