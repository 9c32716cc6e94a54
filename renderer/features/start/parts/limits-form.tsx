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

/** How much of the machine, and for how long. */
export const LimitsForm = (): ReactNode => {
  const { start } = useApp();
  const host = useAppStore('status', (state) => state.host);
  const chosen = useAppStore('start', (state) => state.draft.limits);
  const limits = chosen ?? defaultLimits(host);
  const set = (name: keyof Limits, value: string): void => {
    const { [name]: _dropped, ...rest } = limits;
    start.getState().edit({ limits: value === NONE ? rest : { ...rest, [name]: Number(value) } });
  };
  return (
    <Section title="Limits" testId="limits">
      <ul className={sectionStyles.list}>
        <li className={styles.item}>
          <IconClock size={14} aria-hidden="true" />
          <label htmlFor="limit-ttl">Ends by itself</label>
          <select
            id="limit-ttl"
            className={styles.select}
            data-testid="limit-ttl"
            value={limits.ttlMs ?? NONE}
            onChange={(event) => {
              set('ttlMs', event.target.value);
            }}
          >
            {withValue(TTL_CHOICES_MS, limits.ttlMs).map((ms) => (
              <option key={ms} value={ms}>
                after {formatSpan(ms)}
              </option>
            ))}
            <option value={NONE}>when you stop it</option>
          </select>
        </li>
        <li className={styles.item}>
          <IconCores size={14} aria-hidden="true" />
          <label htmlFor="limit-cpus">Cores</label>
          <select
            id="limit-cpus"
            className={styles.select}
            data-testid="limit-cpus"
            value={limits.cpus ?? NONE}
            onChange={(event) => {
              set('cpus', event.target.value);
            }}
          >
            {withValue(cpuChoices(host), limits.cpus).map((cpus) => (
              <option key={cpus} value={cpus}>
                {cpus}
                {host === undefined ? '' : ` of ${host.cores}`}
              </option>
            ))}
            <option value={NONE}>all</option>
          </select>
        </li>
        <li className={styles.item}>
          <IconMemory size={14} aria-hidden="true" />
          <label htmlFor="limit-memory">Memory</label>
          <select
            id="limit-memory"
            className={styles.select}
            data-testid="limit-memory"
            value={limits.memoryBytes ?? NONE}
            onChange={(event) => {
              set('memoryBytes', event.target.value);
            }}
          >
            {withValue(memoryChoices(host), limits.memoryBytes).map((bytes) => (
              <option key={bytes} value={bytes}>
                {(bytes / GIB).toFixed(0)}
                {host === undefined ? ' GB' : ` of ${(host.memoryBytes / GIB).toFixed(0)} GB`}
              </option>
            ))}
            <option value={NONE}>all</option>
          </select>
        </li>
      </ul>
    </Section>
  );
};
