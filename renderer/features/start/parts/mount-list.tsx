import type { ReactNode } from 'react';
import type { ProjectInspection } from '../../../../app/contract/index.ts';
import { useAppStore } from '../../../shell/app.ts';
import { cx } from '../../../ui/class-names.ts';
import { plural, tidyPath } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconLayers } from '../../../ui/icons.ts';
import { MOUNT_WORDS } from '../../../ui/words.ts';
import styles from './section.module.css';
import { Section } from './section.tsx';

/** Everything the sandbox will see, and why. */
export const MountList = ({
  inspection,
}: {
  readonly inspection: ProjectInspection;
}): ReactNode => {
  const home = useAppStore('status', (state) => state.host?.homeFolder);
  const live = useAppStore('start', (state) => state.draft.workspace === 'live');
  const { mounts, path } = inspection;
  return (
    <Section title="What it sees" note={plural(mounts.length, 'mount')} testId="mounts">
      <ul className={styles.list}>
        {mounts.map((mount) => {
          const how = live && mount.path === path ? 'read-write' : mount.how;
          return (
            <li key={`${mount.path} ${mount.how}`} className={styles.item}>
              <IconLayers size={13} aria-hidden="true" />
              <span className={cx('mono', styles.text)} title={escapeHostile(mount.path)}>
                <HostileText>{tidyPath(mount.path, home)}</HostileText>
              </span>
              <span className={cx(styles.tag, how === 'read-write' && styles.warn)}>
                {MOUNT_WORDS[how]}
              </span>
              <small className={styles.below}>
                <HostileText>{mount.why}</HostileText>
              </small>
            </li>
          );
        })}
      </ul>
    </Section>
  );
};
