import { useRef, useState, type FormEvent, type ReactNode } from 'react';
import type { Problem } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { TextField } from '../../../ui/field.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';
import styles from './unlock.module.css';

/** Opens the sealed file that stands in for a keychain. The passphrase goes straight to the host and stays in no state. */
export const UnlockForm = (): ReactNode => {
  const { credentials } = useApp();
  const vault = useAppStore('status', (state) => state.host?.vault);
  const passphrase = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<Problem | undefined>();
  const [busy, setBusy] = useState(false);
  if (vault?.store !== 'sealed' || vault.state !== 'locked') return null;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const field = passphrase.current;
    const value = field?.value ?? '';
    if (busy || value === '') return;
    if (field !== null) field.value = '';
    setBusy(true);
    setProblem(await credentials.getState().unlock(value));
    setBusy(false);
  };
  return (
    <form
      className={styles.form}
      onSubmit={(event) => void submit(event)}
      data-testid="unlock-form"
    >
      {problem !== undefined && (
        <ProblemNotice tried="The sealed file stays locked" problem={problem} />
      )}
      <div className={styles.row}>
        <TextField
          label="Passphrase"
          type="password"
          inputRef={passphrase}
          autoComplete="current-password"
          data-testid="unlock-passphrase"
          hint="It opens the file that seals your credentials; the first one you give makes the file."
        />
        <Button type="submit" look="primary" busy={busy} data-testid="unlock-vault">
          Unlock
        </Button>
      </div>
    </form>
  );
};
