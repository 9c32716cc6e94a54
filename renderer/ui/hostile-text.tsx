import type { ReactNode } from 'react';
import styles from './hostile-text.module.css';

// Control characters, marks that turn the direction, invisible and filler characters, tags, lone surrogates:
// what can make a path or a host read as another one.
const HOSTILE =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class -- these are what is searched for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Cs}/gu;

export type TextPart = { readonly text: string; readonly escaped: boolean };

const spelled = (character: string): string => {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  const point = character.codePointAt(0) ?? 0;
  return `\\u{${point.toString(16)}}`;
};

/** Splits text from the sandbox into what may be shown as it is and what is spelled out. */
export const splitHostile = (text: string): readonly TextPart[] => {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(HOSTILE)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), escaped: false });
    parts.push({ text: spelled(match[0]), escaped: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), escaped: false });
  return parts;
};

/** The same as one string, for labels, titles and the clipboard preview. */
export const escapeHostile = (text: string): string =>
  splitHostile(text)
    .map((part) => part.text)
    .join('');

/** Text that something inside the sandbox (or a server) chose: text nodes only, kept apart from what stands beside it. */
export const HostileText = ({ children }: { readonly children: string }): ReactNode => {
  const parts = splitHostile(children);
  return (
    <bdi dir="ltr">
      {parts.map((part, index) =>
        part.escaped ? (
          // oxlint-disable-next-line react/no-array-index-key -- the parts of one text have no other name
          <span key={index} className={styles.escaped}>
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </bdi>
  );
};
