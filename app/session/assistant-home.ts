import type { AssistantName } from '../contract/index.ts';
import { assertNever } from '../kit/index.ts';
import type { CredentialGrant } from '../policy/index.ts';
import { SANDBOX_HOME } from './etc-files.ts';

/** One file written into the sandbox's home (memory) before the assistant starts. */
export type HomeFile = { readonly path: string; readonly text: string };

/** Claude Code remembers an agreed key by its last twenty characters. */
const CLAUDE_KEY_TAIL_CHARS = 20;

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const placeholderFor = (grants: readonly CredentialGrant[], variable: string): string | undefined =>
  grants.find((grant) => grant.env.includes(variable))?.placeholder;

/** A TOML basic string; JSON's escapes are a subset of TOML's. */
const tomlString = (text: string): string => JSON.stringify(text);

/**
 * First-run files per assistant, so that it opens on its prompt: welcome screens answered, the project
 * trusted (inside, there is nothing to lose), the placeholder taken for its key. No real secret is in them.
 */
export const assistantHome = (
  assistant: AssistantName,
  project: string,
  grants: readonly CredentialGrant[],
): readonly HomeFile[] => {
  switch (assistant) {
    case 'claude-code': {
      const key = placeholderFor(grants, 'ANTHROPIC_API_KEY');
      return [
        {
          path: `${SANDBOX_HOME}/.claude.json`,
          text: json({
            hasCompletedOnboarding: true,
            theme: 'dark',
            autoUpdates: false,
            ...(key === undefined
              ? {}
              : {
                  customApiKeyResponses: {
                    approved: [key.slice(-CLAUDE_KEY_TAIL_CHARS)],
                    rejected: [],
                  },
                }),
            projects: {
              [project]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true },
            },
          }),
        },
      ];
    }
    case 'codex': {
      const key = placeholderFor(grants, 'OPENAI_API_KEY');
      return [
        {
          path: `${SANDBOX_HOME}/.codex/config.toml`,
          text: [
            'check_for_update_on_startup = false',
            'cli_auth_credentials_store = "file"',
            '',
            '[analytics]',
            'enabled = false',
            '',
            `[projects.${tomlString(project)}]`,
            'trust_level = "trusted"',
            '',
          ].join('\n'),
        },
        ...(key === undefined
          ? []
          : [
              {
                path: `${SANDBOX_HOME}/.codex/auth.json`,
                text: json({ auth_mode: 'apikey', OPENAI_API_KEY: key }),
              },
            ]),
      ];
    }
    case 'gemini-cli':
      return [
        {
          path: `${SANDBOX_HOME}/.gemini/settings.json`,
          text: json({
            general: { disableAutoUpdate: true, disableUpdateNag: true, enableAutoUpdate: false },
            privacy: { usageStatisticsEnabled: false },
            ...(placeholderFor(grants, 'GEMINI_API_KEY') === undefined
              ? {}
              : { security: { auth: { selectedType: 'gemini-api-key' } } }),
          }),
        },
        {
          path: `${SANDBOX_HOME}/.gemini/trustedFolders.json`,
          text: json({ [project]: 'TRUST_FOLDER' }),
        },
      ];
    case 'opencode':
      return [
        {
          path: `${SANDBOX_HOME}/.config/opencode/opencode.json`,
          text: json({
            $schema: 'https://opencode.ai/config.json',
            autoupdate: false,
            share: 'disabled',
          }),
        },
      ];
    case 'shell':
      return [];
    default:
      return assertNever(assistant, 'furnishing a home');
  }
};

/** Writes path and content pairs given as arguments; runs as the sandbox's user before anything else does. */
const WRITER =
  'umask 077; while [ $# -gt 1 ]; do mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1" || exit 1; shift 2; done';

/** The command that writes the files inside; undefined where there are none. */
export const homeWriter = (
  files: readonly HomeFile[],
): readonly [string, ...string[]] | undefined =>
  files.length === 0
    ? undefined
    : [
        '/bin/sh',
        '-c',
        WRITER,
        'glovebox-home',
        ...files.flatMap((file) => [file.path, file.text]),
      ];
