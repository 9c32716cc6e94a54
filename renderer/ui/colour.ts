/** Reads the colours that a canvas needs from the tokens, as the theme gives them just now. */
export const readColours = <Name extends string>(
  names: readonly Name[],
): Readonly<Record<Name, string>> => {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const colours = Object.fromEntries(
    names.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  ) as Record<Name, string>;
  probe.remove();
  return colours;
};
