import type {
  AssistantInfo,
  FolderListing,
  Guarantee,
  HostStatus,
} from '../../app/contract/index.ts';
import { HOME, PROJECT } from './sample-project.ts';

const GIB = 1024 ** 3;

export const HOST: HostStatus = {
  version: '0.1.0',
  shell: 'browser: Electron’s binary is missing',
  homeFolder: HOME,
  cores: 4,
  memoryBytes: 24 * GIB,
  engine: { state: 'ready', title: 'Docker 28.5' },
  vault: { store: 'keychain', state: 'open', credentials: 4 },
};

export const GUARANTEES: readonly Guarantee[] = [
  ['P1', 'No real credential is ever inside the sandbox.', 'enforced', ''],
  [
    'P2',
    'A credential is used only where its grant says.',
    'partial',
    'Host and port; method and path come later.',
  ],
  ['P3', 'No byte leaves except through the broker.', 'enforced', ''],
  [
    'P4',
    'No private, link-local, metadata or own address is reached unless you name it.',
    'enforced',
    '',
  ],
  [
    'P5',
    'Host secrets are not visible.',
    'partial',
    'Files created later are refused by name, not yet by content.',
  ],
  ['P6', 'Nothing the assistant wrote runs on the host by itself.', 'enforced', ''],
  [
    'P7',
    'The host project is unchanged until you accept.',
    'enforced',
    'Not in the live working copy.',
  ],
  ['P8', 'Everything that crossed the wall is on the timeline.', 'enforced', ''],
  ['P9', 'In doubt, deny, and say why.', 'enforced', ''],
  ['P10', 'The session ends: nothing of it stays behind but its changes.', 'enforced', ''],
].map(([name, promise, state, note]) => ({ id: name, promise, state, note }) as Guarantee);

export const ASSISTANTS: readonly AssistantInfo[] = [
  {
    name: 'claude-code',
    title: 'Claude Code',
    version: '2.1',
    image: 'ready',
    kinds: ['anthropic'],
    hosts: ['api.anthropic.com', 'statsig.anthropic.com', 'claude.ai', 'console.anthropic.com'],
  },
  {
    name: 'codex',
    title: 'Codex',
    version: '0.169',
    image: 'ready',
    kinds: ['openai'],
    hosts: ['api.openai.com', 'auth.openai.com'],
  },
  {
    name: 'gemini-cli',
    title: 'Gemini CLI',
    version: '0.61',
    image: 'builds-once',
    kinds: ['gemini'],
    hosts: ['generativelanguage.googleapis.com'],
  },
  {
    name: 'opencode',
    title: 'opencode',
    version: '1.18',
    image: 'ready',
    kinds: ['anthropic', 'openai'],
    hosts: ['models.dev'],
  },
  { name: 'shell', title: 'Shell', image: 'ready', kinds: [], hosts: [] },
];

export const RECENT = [PROJECT, '/home/me/site', '/home/me/ledger'];

export const folders = (path: string): FolderListing => ({
  path,
  ...(path === '/' ? {} : { parent: path.slice(0, path.lastIndexOf('/')) || '/' }),
  folders: ['dotfiles', 'harbor-api', 'notes', 'pictures', 'site', 'work', 'ab\u202egnp.cod'].map(
    (name) => ({
      name,
      path: `${path === '/' ? '' : path}/${name}`,
      git: name === 'harbor-api' || name === 'site' || name === 'dotfiles',
    }),
  ),
});
