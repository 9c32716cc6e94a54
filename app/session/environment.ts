import type { AssistantName, Code, SessionId } from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';
import type { CredentialGrant } from '../policy/index.ts';
import { credentialPath, SANDBOX_HOME, SANDBOX_USER_NAME, TRUST_BUNDLE } from './etc-files.ts';
import { gitVariables } from './git-variables.ts';

/** Variables by which tools find the authorities they trust; all lead to the one merged bundle. */
export const CA_VARIABLES = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
  'PIP_CERT',
  'AWS_CA_BUNDLE',
  'DENO_CERT',
  'NIX_SSL_CERT_FILE',
  'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'HEX_CACERTS_PATH',
] as const;

/** What keeps each assistant from updating itself and from sending what its work does not need. */
const QUIET: Readonly<Record<AssistantName, Readonly<Record<string, string>>>> = {
  'claude-code': {
    DISABLE_AUTOUPDATER: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  },
  codex: {},
  'gemini-cli': { GEMINI_TELEMETRY_ENABLED: 'false' },
  opencode: { OPENCODE_DISABLE_AUTOUPDATE: '1' },
  shell: {},
};

const base = (session: SessionId): Record<string, string> => ({
  PATH: `${SANDBOX_HOME}/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: SANDBOX_HOME,
  USER: SANDBOX_USER_NAME,
  LOGNAME: SANDBOX_USER_NAME,
  SHELL: '/bin/bash',
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
  GLOVEBOX: '1',
  GLOVEBOX_SESSION: session,
  // For programs that insist on a proxy. The usual variables stay unset: all is captured as it is.
  GLOVEBOX_PROXY: 'http://proxy.glovebox.internal:3128',
  ...Object.fromEntries(CA_VARIABLES.map((name) => [name, TRUST_BUNDLE])),
});

/** Loader variables: a placeholder there would break every program. */
const LOADER = /^(LD_|GIT_CONFIG|GLOVEBOX)/;

type Variable = { readonly credential: string; readonly name: string; readonly value: string };

/** What a grant adds: the placeholder of each part, and the path of each file. */
const variablesOf = ({ credential, parts, files }: CredentialGrant): readonly Variable[] => [
  ...parts.flatMap(({ env, placeholder }) =>
    env.map((name) => ({ credential, name, value: placeholder })),
  ),
  ...files.flatMap((file) =>
    file.env.map((name) => ({ credential, name, value: credentialPath(file) })),
  ),
];

/**
 * The whole environment inside: minimal, the same on every host, nothing of the host's own. Grants add
 * their placeholders; one that would replace a variable of ours, or another grant's, is refused.
 */
export const sandboxEnvironment = (
  session: SessionId,
  assistant: AssistantName,
  grants: readonly CredentialGrant[],
): Result<Readonly<Record<string, string>>, Failure<Code>> => {
  const own = { ...base(session), ...gitVariables(grants), ...QUIET[assistant] };
  const env: Record<string, string> = { ...own };
  const holders = new Map<string, string>();
  for (const { credential, name, value } of grants.flatMap(variablesOf)) {
    const holder = holders.get(name);
    if (holder !== undefined) {
      return fail(
        'policy.refused',
        `The credentials ${holder} and ${credential} would both be put into ${name}.`,
        'Grant one of them, or store one with another variable (--env).',
      );
    }
    if (Object.hasOwn(own, name) || LOADER.test(name)) {
      return fail(
        'policy.refused',
        `The credential ${credential} would replace the sandbox’s own variable ${name}.`,
        'Store it with another variable (--env).',
      );
    }
    holders.set(name, credential);
    env[name] = value;
  }
  return ok(env);
};
