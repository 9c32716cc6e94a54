import type { ReactNode } from 'react';
import type { AssistantInfo, NetworkDefault, Preset } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
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
  if (passing.length === 0) return 'Nothing passes. Private addresses never do.';
  const list =
    passing.length === 1
      ? passing[0]
      : `${passing.slice(0, -1).join(', ')} and ${passing.at(-1) ?? ''}`;
  return `Only ${list ?? ''} pass. Anything else is refused and recorded. Private addresses never pass.`;
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
  const allow = useAppStore('start', (state) => state.draft.allow);
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
            label: 'Ask · later',
            disabled: true,
            title: 'Asking before each new destination comes in a later version',
            testId: 'network-ask',
          },
          { value: 'allow', label: 'Open', testId: 'network-allow' },
        ]}
      />
      <p className={sectionStyles.hint}>{hintOf(network, presets, title, allow.length)}</p>
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
        {allow.map((rule) => (
          <li key={rule} className={styles.rule} data-testid="allow-row">
            <span className={styles.sign} aria-hidden="true">
              ↗
            </span>
            <span className="mono">
              <HostileText>{rule}</HostileText>
            </span>
            <button
              type="button"
              className={styles.remove}
              aria-label={`Remove ${rule}`}
              onClick={() => {
                edit({ allow: allow.filter((one) => one !== rule) });
              }}
            >
              <IconClose size={13} aria-hidden="true" />
            </button>
          </li>
        ))}
        <li>
          <AddInput
            label="Allow another host"
            placeholder="Allow another host, as docs.example.com"
            problemOf={(text) =>
              allow.includes(text) ? 'That is allowed already.' : hostRuleProblem(text)
            }
            onAdd={(rule) => {
              edit({ allow: [...allow, rule] });
            }}
            testId="allow-add"
          />
        </li>
      </ul>
    </Section>
  );
};
