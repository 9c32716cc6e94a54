import { describe, expect, it } from 'vitest';
import { ACTION_IDS, actionOf, comboOf, showCombo, type Pressed } from './actions.ts';

const press = (key: string, held: Partial<Pressed> = {}): Pressed => ({
  key,
  metaKey: false,
  ctrlKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});
const linux = { mac: false, desktop: true };
const mac = { mac: true, desktop: true };

describe('actions', () => {
  it('gives every action a key of its own on every platform', () => {
    for (const platform of [
      linux,
      mac,
      { mac: false, desktop: false },
      { mac: true, desktop: false },
    ]) {
      const shown = ACTION_IDS.map((id) => showCombo(comboOf(id, platform), platform));
      expect(shown.every((keys) => keys !== '')).toBe(true);
      expect(new Set(shown).size).toBe(shown.length);
    }
  });

  it('leaves plain keys to fields and terminals, and Ctrl keys to terminals', () => {
    expect(actionOf(press('/'), 'no', linux)).toBe('timeline.filter');
    expect(actionOf(press('/'), 'field', linux)).toBeUndefined();
    expect(actionOf(press('k', { ctrlKey: true }), 'no', linux)).toBe('palette');
    expect(actionOf(press('k', { ctrlKey: true }), 'terminal', linux)).toBeUndefined();
    expect(actionOf(press('r', { ctrlKey: true }), 'terminal', linux)).toBeUndefined();
    expect(actionOf(press('R', { ctrlKey: true, shiftKey: true }), 'terminal', linux)).toBe(
      'review.open',
    );
    expect(actionOf(press('F6'), 'terminal', linux)).toBe('pane.next');
  });

  it('uses ⌘ on a Mac and another letter where the browser keeps one for itself', () => {
    expect(actionOf(press('n', { metaKey: true }), 'terminal', mac)).toBe('session.new');
    expect(showCombo(comboOf('session.new', mac), mac)).toBe('⌘N');
    const tab = { mac: false, desktop: false };
    expect(showCombo(comboOf('session.new', tab), tab)).toBe('Ctrl ⇧ O');
  });
});
