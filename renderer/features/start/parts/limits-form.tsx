import type { ReactNode } from 'react';
import type { Limits } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { formatSpan } from '../../../ui/format.ts';
import { IconClock, IconCores, IconMemory } from '../../../ui/icons.ts';
import { cpuChoices, defaultLimits, memoryChoices, TTL_CHOICES_MS } from '../draft.ts';
import styles from './limits-form.module.css';
import sectionStyles from './section.module.css';
import { Section } from './section.tsx';

const GIB = 1024 ** 3;
const NONE = 'none';

const withValue = (choices: readonly number[], value: number | undefined): readonly number[] =>
  value === undefined || choices.includes(value)
    ? choices
    : [...choices, value].toSorted((a, b) => a - b);

/** One limit with its choices, and what stands for none. */
const LimitItem = ({
  name,
  icon,
  label,
  value,
  choices,
  words,
  none,
  onChange,
}: {
  readonly name: string;
  readonly icon: ReactNode;
  readonly label: string;
  readonly value: number | undefined;
  readonly choices: readonly number[];
  readonly words: (choice: number) => string;
  readonly none: string;
  readonly onChange: (value: number | undefined) => void;
}): ReactNode => (
  <li className={styles.item}>
    {icon}
    <label htmlFor={`limit-${name}`}>{label}</label>
    <select
      id={`limit-${name}`}
      className={styles.select}
      data-testid={`limit-${name}`}
      value={value ?? NONE}
      onChange={({ target }) => {
        onChange(target.value === NONE ? undefined : Number(target.value));
      }}
    >
      {withValue(choices, value).map((choice) => (
        <option key={choice} value={choice}>
          {words(choice)}
        </option>
      ))}
      <option value={NONE}>{none}</option>
    </select>
  </li>
);

const inGib = (bytes: number): string => (bytes / GIB).toFixed(0);

/** How much of the machine, and for how long. */
export const LimitsForm = (): ReactNode => {
  const { start } = useApp();
  const host = useAppStore('status', (state) => state.host);
  const chosen = useAppStore('start', (state) => state.draft.limits);
  const limits = chosen ?? defaultLimits(host);
  const setter =
    (name: keyof Limits) =>
    (value: number | undefined): void => {
      const { [name]: _dropped, ...rest } = limits;
      start.getState().edit({ limits: value === undefined ? rest : { ...rest, [name]: value } });
    };
  return (
    <Section title="Limits" testId="limits">
      <ul className={sectionStyles.list}>
        <LimitItem
          name="ttl"
          icon={<IconClock size={14} aria-hidden="true" />}
          label="Ends by itself"
          value={limits.ttlMs}
          choices={TTL_CHOICES_MS}
          words={(ms) => `after ${formatSpan(ms)}`}
          none="when you stop it"
          onChange={setter('ttlMs')}
        />
        <LimitItem
          name="cpus"
          icon={<IconCores size={14} aria-hidden="true" />}
          label="Cores"
          value={limits.cpus}
          choices={cpuChoices(host)}
          words={(cpus) => `${cpus}${host === undefined ? '' : ` of ${host.cores}`}`}
          none="all"
          onChange={setter('cpus')}
        />
        <LimitItem
          name="memory"
          icon={<IconMemory size={14} aria-hidden="true" />}
          label="Memory"
          value={limits.memoryBytes}
          choices={memoryChoices(host)}
          words={(bytes) =>
            `${inGib(bytes)}${host === undefined ? '' : ` of ${inGib(host.memoryBytes)}`} GB`
          }
          none="all"
          onChange={setter('memoryBytes')}
        />
      </ul>
    </Section>
  );
};
