import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { NetworkPill } from './network-pill.tsx';

const textOf = (html: string): string => html.replaceAll(/<[^>]*>/g, '').trim();

describe('the mark of a session’s network', () => {
  it('says in words that it asks, for those who hear it too', () => {
    const html = renderToStaticMarkup(<NetworkPill network="ask" />);
    expect(textOf(html)).toBe('network asks: Destinations that no rule names wait for your answer');
    expect(html).toContain('title="Destinations that no rule names wait for your answer"');
    // Amber is for what waits now, and for what is weaker than usual.
    expect(html).not.toContain('data-look');
    expect(html).toMatch(/<svg[^>]*aria-hidden="true"/);
  });

  it('is loud where the network is open, and not there where it is sealed', () => {
    expect(renderToStaticMarkup(<NetworkPill network="allow" />)).toMatch(/data-look="live".*open/);
    expect(renderToStaticMarkup(<NetworkPill network="deny" />)).toBe('');
  });

  it('tells of git rules that ask, whatever becomes of other destinations', () => {
    const markOf = (network: 'deny' | 'ask' | 'allow'): string =>
      textOf(renderToStaticMarkup(<NetworkPill network={network} gitAsks />));
    const git = 'Fetches and pushes that a git rule asks about wait for your answer';
    expect(markOf('deny')).toBe(`git asks: ${git}`);
    expect(markOf('allow')).toBe(`network opengit asks: ${git}`);
    expect(markOf('ask')).toMatch(/^network asks: Destinations .* and so do fetches and pushes/);
  });
});
