import type { ReactNode } from 'react';
import {
  WORKSPACE_MODES,
  type ProjectInspection,
  type WorkspaceMode,
} from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { Segmented } from '../../../ui/segmented.tsx';
import sectionStyles from './section.module.css';
import { Section } from './section.tsx';

const TITLES: Readonly<Record<WorkspaceMode, string>> = {
  overlay: 'Overlay',
  clone: 'Clone',
  live: 'Live',
};
const HINTS: Readonly<Record<WorkspaceMode, string>> = {
  overlay:
    'Sees your folder as it is now, uncommitted work too. Its changes stay apart until you take them.',
  clone: 'Works in a clone on its own branch.',
  live: 'Works in your folder itself: edits appear at once and there is nothing to take back. Git hooks and settings stay read-only.',
};

/** What the session works on. */
export const WorkingCopy = ({
  inspection,
}: {
  readonly inspection: ProjectInspection;
}): ReactNode => {
  const { start } = useApp();
  const chosen = useAppStore('start', (state) => state.draft.workspace);
  const stateOf = (mode: WorkspaceMode) => inspection.modes.find((one) => one.mode === mode);
  const missing = WORKSPACE_MODES.filter((mode) => stateOf(mode)?.available !== true);
  return (
    <Section title="Working copy" testId="working-copy">
      <Segmented<WorkspaceMode>
        label="Working copy"
        value={chosen}
        onChange={(workspace) => {
          start.getState().edit({ workspace });
        }}
        segments={WORKSPACE_MODES.map((mode) => {
          const state = stateOf(mode);
          const later = mode === 'clone' && state?.available !== true;
          return {
            value: mode,
            disabled: state?.available !== true,
            title: state?.available === true ? undefined : (state?.reason ?? 'comes later'),
            testId: `workspace-${mode}`,
            label: later ? `${TITLES[mode]} · later` : TITLES[mode],
          };
        })}
      />
      <p className={sectionStyles.hint}>
        {chosen === 'live' ? (
          <span className={sectionStyles.warn}>{HINTS.live}</span>
        ) : (
          HINTS[chosen]
        )}
        {missing
          .filter((mode) => mode !== 'clone')
          .map((mode) => (
            <span key={mode}>
              {' '}
              {TITLES[mode]}:{' '}
              <HostileText>{stateOf(mode)?.reason ?? 'not available here'}</HostileText>.
            </span>
          ))}
      </p>
    </Section>
  );
};
