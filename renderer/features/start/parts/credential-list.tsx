import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import type { CredentialSummary } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { useAction, useKeys } from '../../../shell/shortcuts.ts';
import { Button } from '../../../ui/button.tsx';
import { cx } from '../../../ui/class-names.ts';
import { formatSpan } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { IconPlus } from '../../../ui/icons.ts';
import { ProblemNotice, Waiting } from '../../../ui/notice.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { UnlockForm } from '../../credentials/parts/unlock.tsx';
import { VaultNotice } from '../../credentials/parts/vault-notice.tsx';
import { kindForm } from '../../credentials/kind-form.ts';
import { noneWords, scopeWords, type Narrowing } from '../../credentials/words.ts';
import {
  defaultLimits,
  hostRuleProblem,
  hostsOf,
  methodProblem,
  narrowedBy,
  pathProblem,
  siteProblem,
  type GrantDraft,
  type NarrowedBy,
} from '../draft.ts';
import styles from './credential-list.module.css';
import sectionStyles from './section.module.css';
import { Section } from './section.tsx';

const wordsOf = (text: string): readonly string[] =>
  text.split(/[\s,]+/).filter((word) => word !== '');

/** A list of words in one line, taken over as soon as each of them can be. */
const WordsInput = ({
  title,
  label,
  words,
  placeholder,
  problemOf,
  onChange,
  testId,
}: {
  readonly title: string;
  /** The title with the credential's name, for those who hear it. */
  readonly label: string;
  readonly words: readonly string[];
  readonly placeholder: string;
  readonly problemOf: (word: string) => string | undefined;
  readonly onChange: (words: readonly string[]) => void;
  readonly testId: string;
}): ReactNode => {
  const [text, setText] = useState(words.join(', '));
  const id = useId();
  const problem = wordsOf(text)
    .map(problemOf)
    .find((found) => found !== undefined);
  return (
    <div className={styles.words}>
      <span aria-hidden="true">{title}</span>
      <input
        className={sectionStyles.input}
        aria-label={label}
        aria-invalid={problem !== undefined || undefined}
        aria-describedby={problem === undefined ? undefined : id}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        data-testid={testId}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          const next = wordsOf(event.target.value);
          if (next.every((word) => problemOf(word) === undefined)) onChange(next);
        }}
      />
      {problem !== undefined && (
        <p id={id} className={sectionStyles.error}>
          {problem}
        </p>
      )}
    </div>
  );
};

type Narrower = {
  readonly title: string;
  readonly placeholder: string;
  readonly problemOf: (word: string) => string | undefined;
  /** How a word is kept. */
  readonly keep: (word: string) => string;
};

const asIs = (word: string): string => word;

const NARROWERS: Readonly<Record<NarrowedBy, Narrower>> = {
  methods: {
    title: 'Methods',
    placeholder: 'every method, or GET, POST',
    problemOf: methodProblem,
    keep: (method) => method.toUpperCase(),
  },
  paths: {
    title: 'Paths',
    placeholder: 'every path, or /v1/*, /files/**',
    problemOf: pathProblem,
    keep: asIs,
  },
  sites: {
    title: 'Places',
    placeholder: 'every place of its kind, or header:x-api-key',
    problemOf: siteProblem,
    keep: asIs,
  },
};

/** Where a credential may go, and what narrows it further. */
const GrantEditor = ({
  credential: { name, kind },
  hosts,
  grant,
  onChange,
}: {
  readonly credential: CredentialSummary;
  readonly hosts: readonly string[];
  readonly grant: GrantDraft | undefined;
  readonly onChange: (change: Partial<GrantDraft>) => void;
}): ReactNode => (
  <div className={styles.editor}>
    <WordsInput
      title="Hosts"
      label={`Hosts for ${name}`}
      words={hosts}
      placeholder={kindForm(kind).hostsExample}
      problemOf={hostRuleProblem}
      onChange={(next) => {
        onChange({ hosts: next });
      }}
      testId="grant-hosts"
    />
    {narrowedBy(kind).map((by) => {
      const { title, placeholder, problemOf, keep } = NARROWERS[by];
      return (
        <WordsInput
          key={by}
          title={title}
          label={`${title} for ${name}`}
          words={grant?.[by] ?? []}
          placeholder={placeholder}
          problemOf={problemOf}
          onChange={(next) => {
            onChange({ [by]: next.map(keep) });
          }}
          testId={`grant-${by}`}
        />
      );
    })}
  </div>
);

const narrowingOf = ({ methods = [], paths = [], sites = [] }: Partial<GrantDraft>): Narrowing => ({
  ...(methods.length === 0 ? {} : { methods }),
  ...(paths.length === 0 ? {} : { paths }),
  ...(sites.length === 0 ? {} : { sites }),
});

const CredentialRow = ({
  credential,
  span,
}: {
  readonly credential: CredentialSummary;
  readonly span: string;
}): ReactNode => {
  const { start } = useApp();
  const grant = useAppStore('start', (state) => state.draft.grants[credential.name]);
  const [editing, setEditing] = useState(false);
  const on = grant?.on === true;
  const hosts = hostsOf(credential, grant);
  const set = (change: Partial<GrantDraft>): void => {
    const { draft, edit } = start.getState();
    const { suggested: _ours, ...was } = draft.grants[credential.name] ?? {
      on: false,
      hosts: undefined,
    };
    edit({ grants: { ...draft.grants, [credential.name]: { ...was, ...change } } });
  };
  const open = on && (editing || credential.hosts.length === 0);
  const row = useRef<HTMLLIElement>(null);
  const wasOpen = useRef(open);
  useEffect(() => {
    // Opened at the foot of a list that scrolls, it would be out of sight.
    if (open && !wasOpen.current) row.current?.scrollIntoView({ block: 'nearest' });
    wasOpen.current = open;
  }, [open]);
  return (
    <li
      ref={row}
      className={styles.row}
      data-testid="grant-row"
      data-name={credential.name}
      data-on={on}
    >
      <Switch
        label={`${credential.name} for this session`}
        checked={on}
        onChange={(next) => {
          set({ on: next });
        }}
        testId="grant-switch"
      />
      <b className={on ? styles.on : styles.off} title={credential.name}>
        {credential.name}
      </b>
      <span className={sectionStyles.tag}>{on ? span : 'off'}</span>
      <small className={styles.scope}>
        <span>
          <HostileText>{scopeWords(credential, hosts, narrowingOf(grant ?? {}))}</HostileText>
        </span>
        {on && credential.hosts.length > 0 && (
          <button
            type="button"
            className={styles.edit}
            aria-expanded={editing}
            data-testid="grant-edit"
            onClick={() => {
              setEditing(!editing);
            }}
          >
            {editing ? 'done' : 'narrow'}
          </button>
        )}
      </small>
      {on && credential.env === undefined && kindForm(credential.kind).variable === 'named' && (
        <small className={styles.warn}>
          No variable inside holds its placeholder, so nothing there can use it.
        </small>
      )}
      {open && <GrantEditor credential={credential} hosts={hosts} grant={grant} onChange={set} />}
    </li>
  );
};

/** Which credentials go along, and what for. */
export const CredentialList = (): ReactNode => {
  const { navigation, credentials } = useApp();
  const list = useAppStore('credentials', (state) => state.list);
  const problem = useAppStore('credentials', (state) => state.problem);
  const openSheet = useAppStore('credentials', (state) => state.openSheet);
  const host = useAppStore('status', (state) => state.host);
  const limits = useAppStore('start', (state) => state.draft.limits);
  const keys = useKeys('credentials.add');
  const canAdd = host?.vault.state === 'open';
  const none = noneWords(host?.vault);
  const ttl = (limits ?? defaultLimits(host)).ttlMs;
  const span = ttl === undefined ? 'until it ends' : formatSpan(ttl);
  const add = (): void => {
    openSheet({ type: 'add' });
  };
  useAction('credentials.add', add, canAdd);
  return (
    <Section
      title="Credentials"
      note="it gets a placeholder, never the key"
      testId="grants"
      action={
        canAdd && (
          <Button
            size="s"
            look="ghost"
            keys={keys.keys}
            aria-label="Add a credential"
            data-testid="add-credential-button"
            onClick={add}
          >
            <IconPlus size={12} aria-hidden="true" />
            Add
          </Button>
        )
      }
    >
      <div className={styles.parts}>
        {problem === undefined ? (
          <VaultNotice look="ask" />
        ) : (
          <ProblemNotice
            problem={problem}
            look="ask"
            action={
              <Button size="s" onClick={() => void credentials.getState().load()}>
                Try again
              </Button>
            }
          />
        )}
        <UnlockForm />
        {list === undefined && problem === undefined && <Waiting>Asking the keychain</Waiting>}
        {list?.length === 0 && none !== undefined && (
          <div className={styles.empty}>
            <p>
              {none.title}.{' '}
              {none.locked
                ? none.more
                : 'The assistant then asks for its own sign-in inside, or you store its key here and it only gets a placeholder.'}
            </p>
            {canAdd ? (
              <Button size="s" onClick={add}>
                Add a credential
              </Button>
            ) : (
              !none.locked && host?.vault.state === 'locked' && <p>{none.more}</p>
            )}
          </div>
        )}
        {list !== undefined && list.length > 0 && (
          <ul className={cx(sectionStyles.list, styles.list)}>
            {list.map((credential) => (
              <CredentialRow key={credential.name} credential={credential} span={span} />
            ))}
          </ul>
        )}
        {list !== undefined && list.length > 8 && (
          <button
            type="button"
            className={styles.edit}
            onClick={() => {
              navigation.getState().go({ type: 'credentials' });
            }}
          >
            All credentials
          </button>
        )}
      </div>
    </Section>
  );
};
