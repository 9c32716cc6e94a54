import { useState, type ReactNode } from 'react';
import type { HostStatus, Problem } from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';
import { useApp, useAppStore } from '../../shell/app.ts';
import { nextTheme } from '../../shell/settings.ts';
import { useAction, useActions, useKeys } from '../../shell/shortcuts.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { cx } from '../../ui/class-names.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { plural } from '../../ui/format.ts';
import { escapeHostile, HostileText } from '../../ui/hostile-text.tsx';
import {
  IconKey,
  IconKeyboard,
  IconMoon,
  IconSearch,
  IconShield,
  IconSun,
  IconSystem,
} from '../../ui/icons.ts';
import { ProblemNotice } from '../../ui/notice.tsx';
import { UnlockForm } from '../credentials/parts/unlock.tsx';
import styles from './view.module.css';

type Line = {
  readonly tone: 'good' | 'warn' | 'bad' | 'busy';
  readonly text: string;
  readonly problem: Problem | undefined;
};

const engineLine = ({ engine }: HostStatus): Line => {
  const { problem } = engine;
  switch (engine.state) {
    case 'ready':
      return { tone: 'good', text: `${engine.title ?? 'Container engine'} · container`, problem };
    case 'checking':
      return { tone: 'busy', text: 'Looking for a container engine', problem };
    case 'missing':
      return {
        tone: 'bad',
        text: 'No container engine',
        problem: problem ?? { code: 'engine.not-found', message: 'No container engine answers.' },
      };
    case 'lost':
      return {
        tone: 'bad',
        text: 'Engine stopped answering',
        problem: problem ?? {
          code: 'engine.lost',
          message: 'The container engine stopped answering.',
        },
      };
    default:
      return assertNever(engine.state, 'the state of the engine');
  }
};

const STORE_WORDS = { keychain: 'Keychain', sealed: 'Sealed file', none: 'No keychain' } as const;

const vaultLine = ({ vault }: HostStatus): Line => {
  const { problem } = vault;
  const store = STORE_WORDS[vault.store];
  if (vault.state === 'open') {
    const count =
      vault.credentials === undefined ? '' : ` · ${plural(vault.credentials, 'credential')}`;
    const open = vault.store === 'sealed' ? 'open' : 'unlocked';
    return { tone: 'good', text: `${store} ${open}${count}`, problem };
  }
  if (vault.state === 'locked') {
    return {
      tone: 'warn',
      text: `${store} locked`,
      problem: problem ?? { code: 'vault.locked', message: 'The keychain is locked.' },
    };
  }
  return {
    tone: 'bad',
    text: vault.store === 'none' ? 'No keychain' : `${store} does not answer`,
    problem: problem ?? { code: 'vault.unavailable', message: 'No keychain answers.' },
  };
};

const StatusLine = ({
  line,
  onPress,
  testId,
}: {
  readonly line: Line;
  readonly onPress: () => void;
  readonly testId: string;
}): ReactNode => (
  <button
    type="button"
    className={styles.line}
    data-testid={testId}
    data-tone={line.tone}
    title={escapeHostile(line.text)}
    aria-label={escapeHostile(line.text)}
    onClick={onPress}
  >
    <i className={cx(styles.dot, styles[line.tone])} aria-hidden="true" />
    <span className={styles.text}>
      <HostileText>{line.text}</HostileText>
    </span>
  </button>
);

/** The foot of the list: whether the engine and the keychain answer, and the window's own switches. */
export const StatusFoot = (): ReactNode => {
  const { navigation, settings } = useApp();
  const actions = useActions();
  const host = useAppStore('status', (state) => state.host);
  const theme = useAppStore('settings', (state) => state.theme);
  const [shown, setShown] = useState<'engine' | 'vault' | undefined>();
  const credentialKeys = useKeys('credentials.open');
  const paletteKeys = useKeys('palette');
  const themeKeys = useKeys('theme.cycle');
  const shortcutKeys = useKeys('shortcuts.show');
  const promiseKeys = useKeys('guarantees.show');
  const engine = host === undefined ? undefined : engineLine(host);
  const vault = host === undefined ? undefined : vaultLine(host);
  const sheet = shown === 'engine' ? engine : vault;
  const run = (id: 'palette' | 'shortcuts.show' | 'guarantees.show') => (): void => {
    actions.getState().run(id);
  };
  const openCredentials = (): void => {
    setShown(undefined);
    navigation.getState().go({ type: 'credentials' });
  };
  useAction('credentials.open', openCredentials);

  return (
    <footer className={styles.foot}>
      {engine !== undefined && (
        <StatusLine
          line={engine}
          testId="status-engine"
          onPress={() => {
            setShown('engine');
          }}
        />
      )}
      {vault !== undefined && (
        <StatusLine
          line={vault}
          testId="status-vault"
          onPress={() => {
            if (vault.problem === undefined) openCredentials();
            else setShown('vault');
          }}
        />
      )}
      <div className={styles.tools}>
        <IconButton
          label="Find an action"
          keys={paletteKeys.keys}
          data-testid="open-palette"
          onClick={run('palette')}
        >
          <IconSearch size={14} />
        </IconButton>
        <IconButton
          label="Credentials"
          keys={credentialKeys.keys}
          data-testid="open-credentials"
          onClick={openCredentials}
        >
          <IconKey size={14} />
        </IconButton>
        <IconButton
          label="What is promised here"
          keys={promiseKeys.keys}
          data-testid="open-guarantees"
          onClick={run('guarantees.show')}
        >
          <IconShield size={14} />
        </IconButton>
        <IconButton
          label={`Theme: ${theme}`}
          keys={themeKeys.keys}
          data-testid="theme-switch"
          data-theme-setting={theme}
          onClick={() => {
            settings.setState({ theme: nextTheme(theme) });
          }}
        >
          {theme === 'dark' && <IconMoon size={14} />}
          {theme === 'light' && <IconSun size={14} />}
          {theme === 'system' && <IconSystem size={14} />}
        </IconButton>
        <IconButton
          label="Keyboard shortcuts"
          keys={shortcutKeys.keys}
          data-testid="open-shortcuts"
          onClick={run('shortcuts.show')}
        >
          <IconKeyboard size={14} />
        </IconButton>
      </div>
      <Dialog
        open={shown !== undefined}
        onClose={() => {
          setShown(undefined);
        }}
        title={shown === 'engine' ? 'Container engine' : 'Keychain'}
        testId="status-dialog"
        actions={shown === 'vault' && <Button onClick={openCredentials}>Open credentials</Button>}
      >
        {sheet !== undefined && (
          <>
            <p>
              <HostileText>{sheet.text}</HostileText>
            </p>
            {sheet.problem !== undefined && (
              <ProblemNotice
                problem={sheet.problem}
                look={sheet.tone === 'warn' ? 'ask' : 'deny'}
              />
            )}
            {shown === 'vault' && <UnlockForm />}
            {host !== undefined && (
              <dl className={styles.facts}>
                <dt>Glovebox</dt>
                <dd>{host.version}</dd>
                <dt>Shown in</dt>
                <dd>
                  <HostileText>{host.shell}</HostileText>
                </dd>
              </dl>
            )}
          </>
        )}
      </Dialog>
    </footer>
  );
};
