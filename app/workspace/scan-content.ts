import { extname, join } from 'node:path';
import { MAX_SCAN_FILE_BYTES, readPlain } from './survey.ts';

/** Bytes of a file's head in which a NUL means: binary, not read further. */
export const BINARY_PROBE_BYTES = 8192;

export type ScanRequest = {
  readonly root: string;
  readonly paths: readonly string[];
  readonly deadlineMs: number;
};

/** What the scanner said of one file: kinds of secret with their count, `[]` for none, undefined for unread. */
export type ScanAnswer = { readonly path: string; readonly kinds: readonly string[] | undefined };
export type ScanOutput = { readonly answers: readonly ScanAnswer[]; readonly bytes: number };

/** `@secretlint/secretlint-rule-aws` to `AWS`. Never anything of the secret itself. */
const kindOf = (ruleId: string): string => {
  const name = ruleId.slice(ruleId.lastIndexOf('/') + 1).replace(/^secretlint-rule-/, '');
  const words: Record<string, string> = {
    basicauth: 'password in an address',
    privatekey: 'private key',
    'database-connection-string': 'database password',
    gcp: 'Google Cloud',
    npm: 'npm',
    github: 'GitHub',
    gitlab: 'GitLab',
    openai: 'OpenAI',
    anthropic: 'Anthropic',
    slack: 'Slack',
    stripe: 'Stripe',
    '1password': '1Password',
  };
  return (
    words[name] ??
    (name.length <= 3 ? name.toUpperCase() : name.charAt(0).toUpperCase() + name.slice(1))
  );
};

/** Reads files and asks the secret scanner. Runs in a thread; stops at its deadline and says how far it came. */
export const scanFiles = async (request: ScanRequest): Promise<ScanOutput> => {
  const [{ lintSource }, { creator }] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ]);
  const config = { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }] };
  const answers: ScanAnswer[] = [];
  let bytes = 0;
  for (const path of request.paths) {
    if (Date.now() >= request.deadlineMs) {
      answers.push({ path, kinds: undefined });
      continue;
    }
    const content = readPlain(join(request.root, path), MAX_SCAN_FILE_BYTES);
    if (content === undefined) {
      answers.push({ path, kinds: undefined });
      continue;
    }
    bytes += content.length;
    if (content.subarray(0, BINARY_PROBE_BYTES).includes(0)) {
      answers.push({ path, kinds: [] });
      continue;
    }
    const result = await lintSource({
      source: {
        filePath: join(request.root, path),
        content: content.toString('utf8'),
        ext: extname(path),
        contentType: 'text',
      },
      options: { config, maskSecrets: true, noPhysicFilePath: true },
    });
    answers.push({ path, kinds: result.messages.map((message) => kindOf(message.ruleId)) });
  }
  return { answers, bytes };
};
