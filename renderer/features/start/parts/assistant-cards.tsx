import { useRef, type ReactNode } from 'react';
import { ASSISTANTS, type AssistantInfo } from '../../../../app/contract/index.ts';
import { assertNever } from '../../../../app/kit/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { cx } from '../../../ui/class-names.ts';
import { ASSISTANT_TITLES } from '../../../ui/words.ts';
import styles from './assistant-cards.module.css';

const stateWords = (info: AssistantInfo | undefined): string => {
  if (info === undefined) return 'asking';
  const version = info.version === undefined ? '' : `${info.version} · `;
  if (info.name === 'shell' && info.image === 'ready') return 'no assistant';
  switch (info.image) {
    case 'ready':
      return `${version}ready`;
    case 'builds-once':
      return `${version}builds once`;
    case 'unknown':
      return `${version}no engine to ask`;
    default:
      return assertNever(info.image, 'the image of an assistant');
  }
};

/** Which assistant runs inside. */
export const AssistantCards = (): ReactNode => {
  const { start } = useApp();
  const chosen = useAppStore('start', (state) => state.draft.assistant);
  const assistants = useAppStore('start', (state) => state.assistants);
  const group = useRef<HTMLDivElement>(null);
  const move = (by: number): void => {
    const at = ASSISTANTS.indexOf(chosen);
    const index = (at + by + ASSISTANTS.length) % ASSISTANTS.length;
    start.getState().edit({ assistant: ASSISTANTS[index] ?? chosen });
    group.current?.querySelectorAll('button')[index]?.focus();
  };
  return (
    <div
      ref={group}
      role="radiogroup"
      aria-label="Assistant"
      className={styles.cards}
      onKeyDown={(event) => {
        if (event.key === 'ArrowRight') move(1);
        else if (event.key === 'ArrowLeft') move(-1);
        else return;
        event.preventDefault();
      }}
    >
      {ASSISTANTS.map((name) => {
        const info = assistants?.find((one) => one.name === name);
        return (
          <button
            key={name}
            type="button"
            role="radio"
            aria-checked={name === chosen}
            tabIndex={name === chosen ? 0 : -1}
            className={cx(styles.card, name === chosen && styles.on)}
            data-testid={`assistant-${name}`}
            data-image={info?.image}
            onClick={() => {
              start.getState().edit({ assistant: name });
            }}
          >
            {info?.title ?? ASSISTANT_TITLES[name]}
            <small>{stateWords(info)}</small>
          </button>
        );
      })}
    </div>
  );
};
