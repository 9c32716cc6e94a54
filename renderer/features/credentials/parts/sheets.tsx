import { useRef, useState, type FormEvent, type ReactNode } from 'react';
import {
  CredentialKind,
  Name,
  PROVIDER_KINDS,
  VariableName,
  type CredentialInput,
  type Problem,
} from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { Confirm, Dialog } from '../../../ui/dialog.tsx';
import { SelectField, TextField } from '../../../ui/field.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';
import { hostRuleProblem } from '../../start/draft.ts';
import { KIND_WORDS } from '../words.ts';
import styles from './sheets.module.css';

const GENERIC = ['bearer', 'basic', 'header'] as const;
type KindChoice = (typeof PROVIDER_KINDS)[number] | (typeof GENERIC)[number];

const listOf = (text: string): readonly string[] =>
  text
    .split(/[\s,]+/)
    .map((word) => word.trim())
    .filter((word) => word !== '');

/** A field whose value goes straight from the page to the host: read once, emptied, kept in no state. */
const takeSecret = (input: HTMLInputElement | null): string => {
  const secret = input?.value ?? '';
  if (input !== null) input.value = '';
  return secret;
};

const AddForm = ({ onClose }: { readonly onClose: () => void }): ReactNode => {
  const { credentials, start } = useApp();
  const secret = useRef<HTMLInputElement>(null);
  const [kind, setKind] = useState<KindChoice>('anthropic');
  const [problem, setProblem] = useState<Problem | undefined>();
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const generic = GENERIC.some((name) => name === kind);

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => {
      const value = form.get(name);
      return typeof value === 'string' ? value.trim() : '';
    };
    const found: Record<string, string> = {};
    const name = text('name');
    if (!Name.safeParse(name).success) {
      found['name'] =
        'Letters, digits, dots, dashes and underscores, with a letter or digit first.';
    }
    const full = kind === 'header' ? `header:${text('header')}` : kind;
    if (!CredentialKind.safeParse(full).success) found['header'] = 'The name of one HTTP header.';
    const hosts = listOf(text('hosts'));
    const bad = hosts.map(hostRuleProblem).find((reason) => reason !== undefined);
    if (bad !== undefined) found['hosts'] = bad;
    if (generic && hosts.length === 0) found['hosts'] = 'Say at least one host it is sent to.';
    const env = text('env');
    if (env !== '' && !VariableName.safeParse(env).success) {
      found['env'] = 'Letters, digits and underscores only.';
    }
    if ((secret.current?.value ?? '') === '') found['secret'] = 'Paste the secret.';
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    const input: CredentialInput = {
      name,
      kind: full,
      secret: takeSecret(secret.current),
      ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
      ...(env === '' ? {} : { env }),
    };
    const failed = await credentials.getState().add(input);
    setBusy(false);
    setProblem(failed);
    if (failed === undefined) {
      // Stored from the start page: it is what the user wants to use there.
      const { draft, edit } = start.getState();
      edit({ grants: { ...draft.grants, [name]: { on: true, hosts: undefined } } });
    }
  };

  return (
    <form
      className={styles.form}
      onSubmit={(event) => void submit(event)}
      data-testid="add-credential-form"
    >
      {problem !== undefined && (
        <ProblemNotice tried="The credential was not stored" problem={problem} />
      )}
      <div className={styles.two}>
        <TextField
          label="Name"
          name="name"
          placeholder="anthropic-work"
          error={errors['name']}
          required={false}
        />
        <SelectField
          label="Kind"
          name="kind"
          value={kind}
          onChange={(event) => {
            setKind(event.target.value as KindChoice);
          }}
        >
          {PROVIDER_KINDS.map((name) => (
            <option key={name} value={name}>
              {KIND_WORDS[name]}
            </option>
          ))}
          <option value="bearer">Bearer token</option>
          <option value="basic">User and password (basic)</option>
          <option value="header">Another header</option>
        </SelectField>
      </div>
      {kind === 'header' && (
        <TextField
          label="Header"
          name="header"
          placeholder="X-Api-Key"
          mono
          error={errors['header']}
        />
      )}
      <TextField
        label={kind === 'basic' ? 'User and password, as user:password' : 'Secret'}
        type="password"
        inputRef={secret}
        autoComplete="new-password"
        data-testid="credential-secret"
        error={errors['secret']}
        hint="It goes to the keychain at once and is never shown again."
      />
      <TextField
        label={generic ? 'Hosts it is sent to' : 'Hosts, if not the usual ones'}
        name="hosts"
        mono
        placeholder="api.example.com, *.example.com:8443"
        error={errors['hosts']}
      />
      <TextField
        label="Variable that holds the placeholder inside"
        name="env"
        mono
        placeholder={generic ? 'EXAMPLE_TOKEN' : 'the usual one'}
        error={errors['env']}
      />
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" type="submit" busy={busy} data-testid="credential-save">
          Store credential
        </Button>
      </div>
    </form>
  );
};

const RotateForm = ({
  name,
  onClose,
}: {
  readonly name: string;
  readonly onClose: () => void;
}): ReactNode => {
  const { credentials } = useApp();
  const secret = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<Problem | undefined>();
  const [error, setError] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const value = takeSecret(secret.current);
    setError(value === '' ? 'Paste the new secret.' : undefined);
    if (value === '') return;
    setBusy(true);
    setProblem(await credentials.getState().rotate(name, value));
    setBusy(false);
  };
  return (
    <form className={styles.form} onSubmit={(event) => void submit(event)}>
      {problem !== undefined && (
        <ProblemNotice tried="The value was not replaced" problem={problem} />
      )}
      <TextField
        label="New secret"
        type="password"
        inputRef={secret}
        autoComplete="new-password"
        data-testid="credential-secret"
        error={error}
        hint="Sessions that run keep the old value until they end."
      />
      <div className={styles.actions}>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" type="submit" busy={busy} data-testid="credential-save">
          Replace value
        </Button>
      </div>
    </form>
  );
};

const RemoveQuestion = ({
  name,
  onClose,
}: {
  readonly name: string;
  readonly onClose: () => void;
}): ReactNode => {
  const { credentials } = useApp();
  const [problem, setProblem] = useState<Problem | undefined>();
  const [busy, setBusy] = useState(false);
  const remove = async (): Promise<void> => {
    setBusy(true);
    setProblem(await credentials.getState().remove(name));
    setBusy(false);
  };
  return (
    <Confirm
      open
      onClose={onClose}
      title={`Remove ${name}`}
      description="Its value is deleted from the keychain and cannot be brought back. Sessions that run keep it until they end."
      testId="confirm-remove"
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button
            look="danger-solid"
            busy={busy}
            data-testid="confirm-remove-yes"
            onClick={() => void remove()}
          >
            Remove credential
          </Button>
        </>
      }
    >
      {problem !== undefined && <ProblemNotice tried="It was not removed" problem={problem} />}
    </Confirm>
  );
};

/** The sheets for adding, replacing and removing a credential; reached from the start page and the list alike. */
export const CredentialSheets = (): ReactNode => {
  const sheet = useAppStore('credentials', (state) => state.sheet);
  const openSheet = useAppStore('credentials', (state) => state.openSheet);
  const close = (): void => {
    openSheet(undefined);
  };
  return (
    <>
      <Dialog
        open={sheet?.type === 'add'}
        onClose={close}
        title="Add a credential"
        description="A session gets a placeholder for it, never the secret itself."
        testId="add-credential"
      >
        <AddForm onClose={close} />
      </Dialog>
      <Dialog
        open={sheet?.type === 'rotate'}
        onClose={close}
        title={`Replace the value of ${sheet?.type === 'rotate' ? sheet.name : ''}`}
        width="s"
        testId="rotate-credential"
      >
        {sheet?.type === 'rotate' && <RotateForm name={sheet.name} onClose={close} />}
      </Dialog>
      {sheet?.type === 'remove' && <RemoveQuestion name={sheet.name} onClose={close} />}
    </>
  );
};
