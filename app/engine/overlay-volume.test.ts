import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MOUNT_OPTION_BYTES, overlayDriverOptions, overlayPath } from './overlay-volume.ts';

const mount = (lower: string, options: readonly string[] = []) => ({
  type: 'overlay' as const,
  lower,
  upper: '/s/upper',
  work: '/s/work',
  target: '/p',
  options,
});

/** overlayfs' own reading: options end at a comma, layers at a colon, a backslash takes the next character as it is. */
const layersOf = (lowerdir: string): string[] => {
  const layers = [''];
  for (let index = 0; index < lowerdir.length; index += 1) {
    const character = lowerdir.charAt(index);
    if (character === ':') layers.push('');
    else
      layers[layers.length - 1] += character === '\\' ? lowerdir.charAt((index += 1)) : character;
  }
  return layers;
};

describe('overlay options', () => {
  it('name the three folders', () => {
    expect(overlayDriverOptions(mount('/home/me/project'))).toEqual({
      ok: true,
      value: {
        type: 'overlay',
        device: 'overlay',
        o: 'lowerdir=/home/me/project,upperdir=/s/upper,workdir=/s/work',
      },
    });
  });

  it('carry further options behind them', () => {
    const options = overlayDriverOptions(mount('/p', ['xino=off', 'userxattr']));
    expect(options.ok && options.value.o).toMatch(/,xino=off,userxattr$/);
  });

  it('keep any path one layer and one option, or refuse it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (tail) => {
        const path = `/${tail}`;
        const escaped = overlayPath(path);
        const cannotBeSaid = /[,\0]/.test(path);
        expect(escaped.ok).toBe(!cannotBeSaid);
        const said = escaped.ok ? escaped.value : '';
        expect(said).not.toContain(',');
        expect(layersOf(said)).toEqual([cannotBeSaid ? '' : path]);
      }),
    );
  });

  it.each(['/a,upperdir=/etc', '/a\0b', 'relative'])('refuse %j', (path) => {
    expect(overlayDriverOptions(mount(path))).toMatchObject({
      ok: false,
      error: { code: 'workspace.unsupported' },
    });
  });

  it.each(['lowerdir=/etc', 'a,b', 'x=y:z', ''])('refuse the further option %j', (option) => {
    expect(overlayDriverOptions(mount('/p', [option])).ok).toBe(false);
  });

  it('refuse more than one page, and take exactly one', () => {
    const room =
      MAX_MOUNT_OPTION_BYTES - Buffer.byteLength('lowerdir=,upperdir=/s/upper,workdir=/s/work');
    expect(overlayDriverOptions(mount(`/${'x'.repeat(room - 1)}`)).ok).toBe(true);
    expect(overlayDriverOptions(mount(`/${'x'.repeat(room)}`)).ok).toBe(false);
  });
});
