import { useState, type ReactNode } from 'react';
import type { Problem } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';

const KEYCHAIN_LOCKED: Problem = { code: 'vault.locked', message: 'The keychain is locked.' };

/** What keeps the store of credentials from being used; a keychain that was unlocked since is tried again. */
export const VaultNotice = ({
  look,
}: {
  /** How loud it is, where that is not for the store's state to say. */
  readonly look?: 'deny' | 'ask';
}): ReactNode => {
  const { credentials } = useApp();
  const vault = useAppStore('status', (state) => state.host?.vault);
  const [busy, setBusy] = useState(false);
  const locked = vault?.state === 'locked';
  const waits = locked && vault.store === 'keychain';
  const problem = vault?.problem ?? (waits ? KEYCHAIN_LOCKED : undefined);
  if (problem === undefined) return null;
  // The passphrase form asks for what opens it.
  if (locked && !waits && problem.code === 'vault.locked') return null;
  const retry = async (): Promise<void> => {
    setBusy(true);
    await credentials.getState().retry();
    setBusy(false);
  };
  return (
    <ProblemNotice
      problem={problem}
      look={look ?? (locked ? 'ask' : 'deny')}
      action={
        waits ? (
          <Button size="s" busy={busy} data-testid="retry-vault" onClick={() => void retry()}>
            Try again
          </Button>
        ) : undefined
      }
    />
  );
};
