import { useState, type FormEvent, type ReactNode } from 'react';
import {
  CredentialKind,
  Name,
  VariableName,
  type CredentialInput,
  type Problem,
} from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { Confirm, Dialog } from '../../../ui/dialog.tsx';
import { FileField, SelectField, TextField } from '../../../ui/field.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';
import { hostRuleProblem } from '../../start/draft.ts';
import {
  composeSecret,
  KIND_GROUPS,
  kindForm,
  kindOf,
  type KindForm,
  type SecretField,
} from '../kind-form.ts';
import styles from './sheets.module.css';

const listOf = (text: string): readonly string[] =>
  text
    .split(/[\s,]+/)
    .map((word) => word.trim())
    .filter((word) => word !== '');

/** The fields whose values go straight from the page to the host: read once, emptied, kept in no state. */
const secretInputs = (form: HTMLFormElement): readonly (HTMLInputElement | HTMLTextAreaElement)[] =>
  Array.from(form.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('[data-secret]'));

/** What the secret's fields hold, by name. They have no `name`, so that no form data carries them. */
const readSecret = (form: HTMLFormElement): Readonly<Record<string, string>> =>
  Object.fromEntries(
    secretInputs(form).map((input) => [input.dataset['secret'] ?? '', input.value]),
  );

const forgetSecret = (form: HTMLFormElement): void => {
  for (const input of secretInputs(form)) if (input.dataset['open'] === undefined) input.value = '';
};

/** To the first of the fields that something is wrong with. */
const focusFirst = (form: HTMLFormElement, faults: Readonly<Record<string, string>>): void => {
  const [first] = form.querySelectorAll<HTMLElement>(
    Object.keys(faults)
      .flatMap((name) => [`[name="${name}"]`, `[data-secret="${name}"]`])
      .join(','),
  );
  first?.focus();
};

const VARIABLE_EXAMPLES = {
  usual: 'the usual one',
  named: 'EXAMPLE_TOKEN',
  spare: 'none: a file inside holds it',
} as const;

const KEPT_BY_SESSIONS = 'Sessions that run keep the old value until they end.';

const secretFaults = (
  kind: KindForm,
  secret: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    kind.fields
      .filter((field) => field.optional !== true && (secret[field.name] ?? '') === '')
      .map((field) => [
        field.name,
        kind.fields.length === 1 ? 'Paste the secret.' : 'This is needed.',
      ]),
  );

/** What is wrong with the form as it stands, by field. */
const faultsOf = (
  kind: KindForm,
  text: (name: string) => string,
  secret: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => {
  const found: Record<string, string> = {};
  if (text('name') === '') found['name'] = 'Give it a name.';
  else if (!Name.safeParse(text('name')).success) {
    found['name'] = 'Letters, digits, dots, dashes and underscores, with a letter or digit first.';
  }
  if (kind.place !== undefined && !CredentialKind.safeParse(kindOf(kind, text('place'))).success) {
    found['place'] = kind.place.wrong;
  }
  const hosts = listOf(text('hosts'));
  const bad = hosts.map(hostRuleProblem).find((reason) => reason !== undefined);
  if (bad !== undefined) found['hosts'] = bad;
  if (kind.needsHosts && hosts.length === 0) {
    found['hosts'] = 'Say at least one host it is for.';
  }
  const env = text('env');
  if (kind.variable === 'named' && env === '') {
    found['env'] = 'Say which variable: without one, nothing inside can use it.';
  } else if (env !== '' && !VariableName.safeParse(env).success) {
    found['env'] = 'Letters, digits and underscores only.';
  }
  return { ...found, ...secretFaults(kind, secret) };
};

const SecretInput = ({
  field,
  error,
}: {
  readonly field: SecretField;
  readonly error: string | undefined;
}): ReactNode => {
  const marks = {
    'data-secret': field.name,
    'data-testid': `credential-${field.name}`,
    ...(field.open === true ? { 'data-open': '' } : {}),
  };
  const { label, hint, placeholder } = field;
  return field.file === true ? (
    <FileField label={label} hint={hint} placeholder={placeholder} error={error} {...marks} />
  ) : (
    <TextField
      label={label}
      hint={hint}
      placeholder={placeholder}
      error={error}
      mono={field.open === true}
      type={field.open === true ? 'text' : 'password'}
      autoComplete={field.open === true ? 'off' : 'new-password'}
      {...marks}
    />
  );
};

const AddForm = ({ onClose }: { readonly onClose: () => void }): ReactNode => {
  const { credentials, start } = useApp();
  const [kindName, setKindName] = useState('anthropic');
  const [problem, setProblem] = useState<Problem | undefined>();
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const kind = kindForm(kindName);

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const element = event.currentTarget;
    const form = new FormData(element);
    const text = (name: string): string => {
      const value = form.get(name);
      return typeof value === 'string' ? value.trim() : '';
    };
    const faults = faultsOf(kind, text, readSecret(element));
    setErrors(faults);
    if (Object.keys(faults).length > 0) {
      focusFirst(element, faults);
      return;
    }
    setBusy(true);
    const name = text('name');
    const hosts = listOf(text('hosts'));
    const env = text('env');
    const input: CredentialInput = {
      name,
      kind: kindOf(kind, text('place')),
      secret: composeSecret(kind.name, readSecret(element)),
      ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
      ...(env === '' ? {} : { env }),
    };
    forgetSecret(element);
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
      noValidate
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
          value={kindName}
          onChange={(event) => {
            setKindName(event.target.value);
            setErrors({});
          }}
        >
          {KIND_GROUPS.map((group) => (
            <optgroup key={group.label} label={group.label}>
              {group.kinds.map(({ name, label }) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </optgroup>
          ))}
        </SelectField>
      </div>
      {kind.place !== undefined && (
        <TextField
          key={`${kind.name}-place`}
          label={kind.place.label}
          name="place"
          placeholder={kind.place.placeholder}
          mono
          error={errors['place']}
        />
      )}
      {kind.fields.map((field) => (
        <SecretInput key={`${kind.name}-${field.name}`} field={field} error={errors[field.name]} />
      ))}
      <TextField
        label={kind.needsHosts ? 'Hosts it is for' : 'Hosts, if not the usual ones'}
        name="hosts"
        mono
        placeholder={kind.hostsExample}
        error={errors['hosts']}
      />
      {kind.variable !== 'fixed' && (
        <TextField
          label="Variable that holds the placeholder inside"
          name="env"
          mono
          placeholder={VARIABLE_EXAMPLES[kind.variable]}
          error={errors['env']}
        />
      )}
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
  kind,
  onClose,
}: {
  readonly name: string;
  readonly kind: KindForm;
  readonly onClose: () => void;
}): ReactNode => {
  const { credentials } = useApp();
  const [problem, setProblem] = useState<Problem | undefined>();
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const element = event.currentTarget;
    const values = readSecret(element);
    const faults = secretFaults(kind, values);
    setErrors(faults);
    if (Object.keys(faults).length > 0) {
      focusFirst(element, faults);
      return;
    }
    forgetSecret(element);
    setBusy(true);
    setProblem(await credentials.getState().rotate(name, composeSecret(kind.name, values)));
    setBusy(false);
  };
  return (
    <form className={styles.form} onSubmit={(event) => void submit(event)} noValidate>
      {problem !== undefined && (
        <ProblemNotice tried="The value was not replaced" problem={problem} />
      )}
      {kind.fields.map((field) => (
        <SecretInput
          key={field.name}
          field={
            kind.fields.length === 1
              ? { ...field, label: `New ${field.label.toLowerCase()}` }
              : field
          }
          error={errors[field.name]}
        />
      ))}
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
  const list = useAppStore('credentials', (state) => state.list);
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
        description={KEPT_BY_SESSIONS}
        width="s"
        testId="rotate-credential"
      >
        {sheet?.type === 'rotate' && (
          <RotateForm
            name={sheet.name}
            kind={kindForm(list?.find(({ name }) => name === sheet.name)?.kind.split(':')[0] ?? '')}
            onClose={close}
          />
        )}
      </Dialog>
      {sheet?.type === 'remove' && <RemoveQuestion name={sheet.name} onClose={close} />}
    </>
  );
};
