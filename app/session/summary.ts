import { basename } from 'node:path';
import {
  MAX_NAME_CHARS,
  type Progress,
  type SessionId,
  type SessionSummary,
  type StartRequest,
  START_STEPS,
  type StartStep,
} from '../contract/index.ts';
import { ASSISTANT_PRESETS, parseGitRule } from '../policy/index.ts';

const titleOf = (request: StartRequest): string =>
  (request.title ?? request.command?.join(' ') ?? ASSISTANT_PRESETS[request.assistant].title).slice(
    0,
    2 * MAX_NAME_CHARS,
  );

const asksOnGit = ({ network }: StartRequest): boolean =>
  (network.git ?? []).some((text) => {
    const rule = parseGitRule(text);
    return rule.ok && rule.value.verdict === 'ask';
  });

/** The summary of a session that was just asked for. */
export const firstSummary = (
  id: SessionId,
  request: StartRequest,
  startedAt: string,
): SessionSummary => ({
  id,
  state: 'starting',
  project: request.project,
  projectName: (basename(request.project) || '/').slice(0, 4 * MAX_NAME_CHARS),
  title: titleOf(request),
  assistant: request.assistant,
  workspace: request.workspace,
  network: request.network.default,
  ...(asksOnGit(request) ? { gitAsks: true } : {}),
  grants: [],
  terminals: [],
  startedAt,
  alerts: [],
  owned: true,
});

/** Of steps under way at the same time, shows the earliest: it is what the others wait for. */
export type ProgressBoard = {
  readonly begin: (progress: Progress) => void;
  readonly done: (step: StartStep) => void;
  readonly shown: () => Progress | undefined;
};

export const createProgressBoard = (): ProgressBoard => {
  const under = new Map<StartStep, Progress>();
  return {
    begin: (progress) => under.set(progress.step, progress),
    done: (step) => under.delete(step),
    shown: () => START_STEPS.map((step) => under.get(step)).find((found) => found !== undefined),
  };
};
