import { useEffect, type ReactNode } from 'react';
import { useAppStore } from '../../shell/app.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { formatWhen } from '../../ui/format.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { IconKey, IconPlus, IconRotate, IconTrash } from '../../ui/icons.ts';
import { Instant } from '../../ui/instant.tsx';
import { Empty, ProblemNotice, Waiting } from '../../ui/notice.tsx';
import { hostWords } from '../../ui/words.ts';
import { useNow } from '../../ui/use-now.ts';
import { UnlockForm } from './parts/unlock.tsx';
import { VaultNotice } from './parts/vault-notice.tsx';
import styles from './view.module.css';
import { kindForm } from './kind-form.ts';
import { hostsWords, kindWords, noneWords } from './words.ts';

const STORES = {
  keychain: 'Stored in this machine’s keychain.',
  sealed: 'Stored in a file that your passphrase seals.',
  none: 'Nothing can be stored: no keychain answers.',
} as const;

/** Where the placeholder stands when the user named no variable. */
const UsualPlace = ({ kind }: { readonly kind: string }): ReactNode => {
  const { variable } = kindForm(kind);
  if (variable === 'spare') return 'a file inside';
  if (variable !== 'named') return 'the usual variable';
  return (
    <span
      className={styles.missing}
      title="Nothing inside can use it. Remove it and store it again with a variable."
    >
      no variable
    </span>
  );
};

/** The credentials the user stored. No value is ever shown: the window cannot ask for one. */
export const CredentialsPage = (): ReactNode => {
  const list = useAppStore('credentials', (state) => state.list);
  const problem = useAppStore('credentials', (state) => state.problem);
  const load = useAppStore('credentials', (state) => state.load);
  const openSheet = useAppStore('credentials', (state) => state.openSheet);
  const vault = useAppStore('status', (state) => state.host?.vault);
  const keys = useKeys('credentials.add');
  const now = useNow(60_000);
  const vaultState = vault?.state;
  useEffect(() => {
    if (vaultState !== undefined) void load();
  }, [load, vaultState]);
  const canAdd = vault?.state === 'open';
  const none = noneWords(vault);
  const add = (): void => {
    openSheet({ type: 'add' });
  };
  useAction('credentials.add', add, canAdd);

  return (
    <div className={styles.page} data-pane="page" data-testid="credentials-page">
      <header className={styles.head}>
        <div>
          <h1 className={styles.title}>Credentials</h1>
          <p className={styles.sub}>
            {vault === undefined ? '' : `${STORES[vault.store]} `}A session gets placeholders; the
            real values stay outside.
          </p>
        </div>
        {canAdd && (
          <Button
            look="primary"
            keys={keys.keys}
            aria-label="Add a credential"
            data-testid="add-credential-button"
            onClick={add}
          >
            <IconPlus size={14} aria-hidden="true" />
            Add a credential
          </Button>
        )}
      </header>
      <VaultNotice />
      <UnlockForm />
      {problem !== undefined && problem.code !== vault?.problem?.code && (
        <ProblemNotice
          tried="The credentials could not be read"
          problem={problem}
          action={
            <Button size="s" onClick={() => void load()}>
              Try again
            </Button>
          }
        />
      )}
      {list === undefined && problem === undefined && <Waiting>Asking the keychain</Waiting>}
      {list?.length === 0 && none !== undefined && (
        <Empty
          icon={<IconKey size={22} />}
          title={none.title}
          testId="credentials-empty"
          action={canAdd && <Button onClick={add}>Add the first one</Button>}
        >
          {none.more}
        </Empty>
      )}
      {list !== undefined && list.length > 0 && (
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col" className={styles.wide}>
                Name
              </th>
              <th scope="col" className={styles.medium}>
                Kind
              </th>
              <th scope="col">For</th>
              <th scope="col" className={styles.wide}>
                Placeholder in
              </th>
              <th scope="col" className={styles.narrow}>
                Stored
              </th>
              <th scope="col" className={styles.narrow}>
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((credential) => (
              <tr key={credential.name} data-testid="credential-row" data-name={credential.name}>
                <th scope="row" className={styles.name}>
                  {credential.name}
                </th>
                <td>
                  <HostileText>{kindWords(credential.kind)}</HostileText>
                </td>
                <td className="mono" title={credential.hosts.map(hostWords).join('\n')}>
                  {credential.hosts.length === 0 ? (
                    <span className={styles.none}>hosts are said per session</span>
                  ) : (
                    <HostileText>{hostsWords(credential.hosts)}</HostileText>
                  )}
                </td>
                <td className={credential.env === undefined ? styles.none : 'mono'}>
                  {credential.env ?? <UsualPlace kind={credential.kind} />}
                </td>
                <td className={styles.when}>
                  <Instant at={credential.rotatedAt ?? credential.addedAt}>
                    {formatWhen(credential.rotatedAt ?? credential.addedAt, now)}
                  </Instant>
                  {credential.rotatedAt !== undefined && <small> replaced</small>}
                </td>
                <td className={styles.actions}>
                  <IconButton
                    label={`Replace the value of ${credential.name}`}
                    data-testid="credential-rotate"
                    onClick={() => {
                      openSheet({ type: 'rotate', name: credential.name });
                    }}
                  >
                    <IconRotate size={14} />
                  </IconButton>
                  <IconButton
                    label={`Remove ${credential.name}`}
                    data-testid="credential-remove"
                    onClick={() => {
                      openSheet({ type: 'remove', name: credential.name });
                    }}
                  >
                    <IconTrash size={14} />
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
};
