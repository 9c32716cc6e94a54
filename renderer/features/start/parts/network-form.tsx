import { useState, type ReactNode } from 'react';
import type { AssistantInfo, NetworkDefault, Preset } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { cx } from '../../../ui/class-names.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { IconClose } from '../../../ui/icons.ts';
import { Segmented } from '../../../ui/segmented.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { ASSISTANT_TITLES, hostWords } from '../../../ui/words.ts';
import { hostRuleProblem } from '../draft.ts';
import { AddInput } from './add-input.tsx';
import styles from './network-form.module.css';
import sectionStyles from './section.module.css';
import { Section } from './section.tsx';

const listOf = (words: readonly string[]): string =>
  words.length < 2
    ? (words[0] ?? '')
    : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;

const hintOf = (
  network: NetworkDefault,
  presets: readonly Preset[],
  assistant: string,
  allowed: number,
): ReactNode => {
  if (network === 'allow') {
    return (
      <span className={sectionStyles.warn}>
        Any public destination passes and is recorded. Private addresses never pass.
      </span>
    );
  }
  const passing = [
    ...(presets.includes('assistant') ? [`${assistant}’s own services`] : []),
    ...(presets.includes('registries') ? ['package registries'] : []),
    ...(allowed > 0 ? ['the hosts below'] : []),
  ];
  if (network === 'ask') {
    const first = passing.length === 0 ? '' : `${listOf(passing)} pass. `;
    return `${first}Anything else waits for your answer, and is refused without one. Private addresses never pass.`;
  }
  if (passing.length === 0) return 'Nothing passes. Private addresses never do.';
  return `Only ${listOf(passing)} pass. Anything else is refused and recorded. Private addresses never pass.`;
};

type Verdict = 'allow' | 'deny' | 'passThrough';

const VERDICTS: Readonly<
  Record<Verdict, { readonly words: string; readonly sign: string; readonly tag?: string }>
> = {
  allow: { words: 'Allow', sign: '↗' },
  deny: { words: 'Refuse', sign: '✕', tag: 'refused' },
  passThrough: { words: 'Pass through', sign: '⇢', tag: 'not inspected' },
};

/** Hosts that the user named, with what becomes of each. */
const HostRules = (): ReactNode => {
  const { start } = useApp();
  const allow = useAppStore('start', (state) => state.draft.allow);
  const deny = useAppStore('start', (state) => state.draft.deny);
  const passThrough = useAppStore('start', (state) => state.draft.passThrough);
  const [verdict, setVerdict] = useState<Verdict>('allow');
  const { edit } = start.getState();
  const lists: Readonly<Record<Verdict, readonly string[]>> = { allow, deny, passThrough };
  const rows = (['allow', 'passThrough', 'deny'] as const).flatMap((kind) =>
    lists[kind].map((rule) => ({ kind, rule })),
  );
  return (
    <>
      {rows.map(({ kind, rule }) => (
        <li key={`${kind} ${rule}`} className={styles.rule} data-testid={`${kind}-row`}>
          <span className={cx(styles.sign, kind === 'deny' && styles.refused)} aria-hidden="true">
            {VERDICTS[kind].sign}
          </span>
          <span className="mono">
            <span className="visually-hidden">{VERDICTS[kind].words}: </span>
            <HostileText>{rule}</HostileText>
          </span>
          <span className={sectionStyles.tag}>{VERDICTS[kind].tag}</span>
          <button
            type="button"
            className={styles.remove}
            aria-label={`Remove ${rule}`}
            onClick={() => {
              edit({ [kind]: lists[kind].filter((one) => one !== rule) });
            }}
          >
            <IconClose size={13} aria-hidden="true" />
          </button>
        </li>
      ))}
      <li>
        <AddInput
          label="Another host"
          placeholder="Another host, as docs.example.com"
          before={
            <select
              className={styles.verdict}
              aria-label="What becomes of it"
              data-testid="rule-verdict"
              value={verdict}
              onChange={(event) => {
                setVerdict(event.target.value as Verdict);
              }}
            >
              {(['allow', 'deny', 'passThrough'] as const).map((kind) => (
                <option key={kind} value={kind}>
                  {VERDICTS[kind].words}
                </option>
              ))}
            </select>
          }
          problemOf={(text) =>
            lists[verdict].includes(text) ? 'That is there already.' : hostRuleProblem(text)
          }
          onAdd={(rule) => {
            edit({ [verdict]: [...lists[verdict], rule] });
          }}
          testId="allow-add"
        />
        {verdict === 'passThrough' && (
          <p className={styles.note}>
            For hosts that pin certificates: their TLS is passed on unopened, so no credential gets
            in and nothing of it is recorded but its size.
          </p>
        )}
      </li>
    </>
  );
};

/** What the session may reach. */
export const NetworkForm = ({
  assistant,
}: {
  readonly assistant: AssistantInfo | undefined;
}): ReactNode => {
  const { start } = useApp();
  const network = useAppStore('start', (state) => state.draft.network);
  const presets = useAppStore('start', (state) => state.draft.presets);
  const allowed = useAppStore(
    'start',
    (state) => state.draft.allow.length + state.draft.passThrough.length,
  );
  const chosen = useAppStore('start', (state) => state.draft.assistant);
  const { edit } = start.getState();
  const title = assistant?.title ?? ASSISTANT_TITLES[chosen];
  const hosts = assistant?.hosts ?? [];
  const setPreset = (preset: Preset, on: boolean): void => {
    edit({ presets: on ? [...presets, preset] : presets.filter((one) => one !== preset) });
  };
  return (
    <Section title="Network" testId="network">
      <Segmented<NetworkDefault>
        label="Network"
        value={network}
        onChange={(next) => {
          edit({ network: next });
        }}
        segments={[
          { value: 'deny', label: 'Sealed', testId: 'network-deny' },
          {
            value: 'ask',
            label: 'Ask',
            title: 'Each destination that no rule names waits for your answer',
            testId: 'network-ask',
          },
          { value: 'allow', label: 'Open', testId: 'network-allow' },
        ]}
      />
      <p className={sectionStyles.hint}>{hintOf(network, presets, title, allowed)}</p>
      <ul className={`${sectionStyles.list} ${styles.rules}`}>
        {chosen !== 'shell' && (
          <li className={styles.preset}>
            <Switch
              label={`${title}’s own services`}
              checked={presets.includes('assistant')}
              onChange={(on) => {
                setPreset('assistant', on);
              }}
              testId="preset-assistant"
            />
            <span>{title}’s own services</span>
            <small className={styles.hosts}>
              <HostileText>
                {`${hosts.slice(0, 3).map(hostWords).join(', ')}${hosts.length > 3 ? ` and ${hosts.length - 3} more` : ''}`}
              </HostileText>
            </small>
          </li>
        )}
        <li className={styles.preset}>
          <Switch
            label="Package registries"
            checked={presets.includes('registries')}
            onChange={(on) => {
              setPreset('registries', on);
            }}
            testId="preset-registries"
          />
          <span>Package registries</span>
          <small className={styles.hosts}>npm, PyPI, crates and the like</small>
        </li>
        <HostRules />
      </ul>
    </Section>
  );
};
