import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConsole, printable, sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { NOT_YET } from './not-yet.ts';
import { appFolder } from './places.ts';

const code = (name: string): number => exitCodeOf({ code: name, message: '' });

describe('what the command line says', () => {
  it('shows control and direction characters of foreign names instead of obeying them', () => {
    expect(printable('a\x1b[2Kb\r\n\u202etxt.exe\u0085é😀')).toBe(
      'a\\u{001b}[2Kb\\u{000d}\\u{000a}\\u{202e}txt.exe\\u{0085}é😀',
    );
  });

  it('keeps its own words off standard output', () => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const console = createConsole({ stdout, stderr } as never);
    sayFailure(console, { code: 'engine.lost', message: 'It is\ngone.', hint: 'Start it.' });
    console.progress('working');
    createConsole({ stdout, stderr } as never, true).progress('not said');
    console.out('result');
    expect(String(stdout.read())).toBe('result\n');
    expect(String(stderr.read())).toBe(
      'glovebox: It is\\u{000a}gone. [engine.lost]\n  Start it.\nworking\n',
    );
  });

  it('ends with 126 where policy refuses, 127 where nothing was found, 125 otherwise', () => {
    expect(code('policy.refused')).toBe(126);
    expect(code('not-yet')).toBe(126);
    expect(code('session.not-found')).toBe(127);
    expect(code('engine.not-found')).toBe(EXIT.failed);
    expect(code('anything else')).toBe(125);
  });

  it('has in the README what it answers “not yet” to', () => {
    const readme = readFileSync(join(appFolder, 'README.md'), 'utf8');
    const section = readme.slice(readme.indexOf('### Not yet'));
    for (const { what, instead } of Object.values(NOT_YET)) {
      expect(section).toContain(`\`${what}\``);
      expect(section.replaceAll('`', '')).toContain(instead);
    }
  });
});
