import type { AssistantName } from '../contract/index.ts';

/** What Glovebox knows of an assistant without asking an engine. */
export type AssistantPreset = {
  readonly title: string;
  /** Kinds of credential it can use, best first. */
  readonly kinds: readonly string[];
  /** Host rules of the services it cannot work without; telemetry and updates are left out. */
  readonly hosts: readonly string[];
  /** Started in its terminal where the user names nothing else. */
  readonly command: readonly string[];
};

const ANTHROPIC = ['api.anthropic.com:443'];
const OPENAI = ['api.openai.com:443'];
const GEMINI = ['generativelanguage.googleapis.com:443'];

/** The assistants, by name. Hosts are from each assistant's own network documentation. */
export const ASSISTANT_PRESETS: Readonly<Record<AssistantName, AssistantPreset>> = {
  'claude-code': {
    title: 'Claude Code',
    kinds: ['anthropic'],
    // Sign-in lives on the two others; statistics and error reports are not needed and stay out.
    hosts: [...ANTHROPIC, 'platform.claude.com:443', 'claude.ai:443'],
    command: ['claude'],
  },
  codex: {
    title: 'Codex',
    kinds: ['openai'],
    hosts: [...OPENAI, 'auth.openai.com:443', 'chatgpt.com:443'],
    command: ['codex'],
  },
  'gemini-cli': {
    title: 'Gemini CLI',
    kinds: ['gemini'],
    hosts: [...GEMINI, 'oauth2.googleapis.com:443', 'cloudcode-pa.googleapis.com:443'],
    command: ['gemini'],
  },
  opencode: {
    title: 'opencode',
    kinds: ['anthropic', 'openai', 'gemini'],
    hosts: ['models.dev:443', 'opencode.ai:443', ...ANTHROPIC, ...OPENAI, ...GEMINI],
    command: ['opencode'],
  },
  shell: { title: 'Shell', kinds: [], hosts: [], command: ['bash'] },
};

/**
 * The usual package registries, for installing. Release downloads from code forges are not among
 * them: a forge takes uploads from anyone, so the user names it.
 */
export const REGISTRY_HOSTS: readonly string[] = [
  '*.npmjs.org:443',
  '*.yarnpkg.com:443',
  'pypi.org:443',
  '*.pythonhosted.org:443',
  'crates.io:443',
  '*.crates.io:443',
  // It redirects some archives to a cloud storage host where anyone has a bucket: the user names that one.
  'proxy.golang.org:443',
  'sum.golang.org:443',
  'rubygems.org:443',
  '*.rubygems.org:443',
  '*.maven.org:443',
  'repo.maven.apache.org:443',
  // Debian's mirrors speak plain HTTP by default; packages are signed.
  '*.debian.org',
];
