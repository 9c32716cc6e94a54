import type { AssistantName } from '../contract/index.ts';

/** Image folder below sandbox-images of each assistant. The version lives in the folder's image.json. */
export const ASSISTANT_IMAGES: Readonly<
  Record<AssistantName, { readonly folder: string; readonly title: string }>
> = {
  'claude-code': { folder: 'assistants/claude-code', title: 'Claude Code' },
  codex: { folder: 'assistants/codex', title: 'Codex' },
  'gemini-cli': { folder: 'assistants/gemini-cli', title: 'Gemini CLI' },
  opencode: { folder: 'assistants/opencode', title: 'opencode' },
  shell: { folder: 'base', title: 'shell' },
};

/** Name of the argument that pins an assistant's version in its image.json. */
export const VERSION_ARGUMENT = 'VERSION';
