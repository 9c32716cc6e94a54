import { useState, type ReactNode } from 'react';
import { Dialog } from '../ui/dialog.tsx';
import { Kbd } from '../ui/kbd.tsx';
import { ACTION_GROUPS, ACTION_IDS, ACTIONS, comboOf, showCombo } from './actions.ts';
import { useApp } from './app.ts';
import { useAction } from './shortcuts.ts';
import styles from './shortcuts-dialog.module.css';

/** Every key, by group. */
export const ShortcutsDialog = (): ReactNode => {
  const [open, setOpen] = useState(false);
  const { platform } = useApp();
  useAction('shortcuts.show', () => {
    setOpen(true);
  });
  return (
    <Dialog
      open={open}
      onClose={() => {
        setOpen(false);
      }}
      title="Keyboard shortcuts"
      description={
        platform.mac
          ? 'Keys with ⌘ work in a terminal too; single letters only outside of it.'
          : 'Keys with Ctrl and Shift work in a terminal too; single letters only outside of it. Plain Ctrl keys belong to the program in the terminal.'
      }
      width="l"
      testId="shortcuts"
    >
      <div className={styles.groups}>
        {ACTION_GROUPS.map((group) => (
          <section key={group}>
            <h3 className={styles.group}>{group}</h3>
            <dl>
              {ACTION_IDS.filter((id) => ACTIONS[id].group === group).map((id) => (
                <div key={id} className={styles.row}>
                  <dt>{ACTIONS[id].title}</dt>
                  <dd>
                    <Kbd keys={showCombo(comboOf(id, platform), platform)} />
                    <span className="visually-hidden">
                      {showCombo(comboOf(id, platform), platform)}
                    </span>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
};
