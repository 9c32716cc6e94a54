import type { ReactNode } from 'react';
import { useApp } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { Confirm } from '../../../ui/dialog.tsx';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { IconCopy } from '../../../ui/icons.ts';
import styles from './link-dialog.module.css';

const parse = (address: string | undefined): URL | undefined => {
  if (address === undefined || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
};

/** Asks before a link from a terminal is followed: it was written by whatever runs inside. */
export const LinkDialog = ({
  address,
  onClose,
}: {
  readonly address: string | undefined;
  readonly onClose: () => void;
}): ReactNode => {
  const { platform, toasts } = useApp();
  const url = parse(address);
  const copy = (): void => {
    if (url !== undefined) {
      void navigator.clipboard.writeText(url.href);
      toasts.getState().tell('The address is copied');
    }
    onClose();
  };
  return (
    <Confirm
      open={url !== undefined}
      onClose={onClose}
      title={
        <>
          Open a page at <HostileText>{url?.host ?? ''}</HostileText>
        </>
      }
      description="A program in the sandbox wrote this link. Your browser would open it with your own sign-ins, outside of Glovebox."
      testId="confirm-link"
      actions={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button look={platform.desktop ? 'primary' : 'plain'} onClick={copy}>
            <IconCopy size={13} aria-hidden="true" />
            Copy address
          </Button>
          {!platform.desktop && (
            <Button
              look="primary"
              onClick={() => {
                window.open(url?.href, '_blank', 'noopener,noreferrer');
                onClose();
              }}
            >
              Open in a new tab
            </Button>
          )}
        </>
      }
    >
      <pre className={styles.address}>
        <HostileText>{url?.href ?? ''}</HostileText>
      </pre>
    </Confirm>
  );
};
