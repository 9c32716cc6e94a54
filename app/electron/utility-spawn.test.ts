import { describe, expect, it } from 'vitest';
import { MAX_LAST_WORDS_CHARS } from '../broker/spawn.ts';
import { createElectronStandIn } from './testing/stand-in.ts';
import { utilitySpawn } from './utility-spawn.ts';

const spawn = () => {
  const electron = createElectronStandIn();
  const broker = utilitySpawn(electron, '/bundle/broker.js')('/src/main.ts', { LANG: 'C' });
  const [fork] = electron.forks;
  if (fork === undefined) throw new Error('nothing was started');
  return { broker, fork };
};

describe('a broker in a utility process (16)', () => {
  it('runs the bundled broker with exactly the environment it was given', () => {
    const { fork, broker } = spawn();
    expect(fork.path).toBe('/bundle/broker.js');
    expect(fork.options).toMatchObject({
      env: { LANG: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
      allowLoadingUnsignedLibraries: false,
    });
    expect(broker.pid).toBe(4711);
  });

  it('carries messages both ways and tells the end once, to late listeners too', () => {
    const { fork, broker } = spawn();
    const seen: unknown[] = [];
    broker.onMessage((message) => seen.push(message));
    broker.send({ type: 'start' });
    fork.child.emit('message', { type: 'ready' });
    expect(fork.child.posted).toEqual([{ type: 'start' }]);
    expect(seen).toEqual([{ type: 'ready' }]);
    const ends: string[] = [];
    broker.onExit((how) => ends.push(how));
    broker.kill();
    fork.child.emit('exit', 0);
    broker.onExit((how) => ends.push(`late ${how}`));
    broker.send('too late');
    expect(ends).toEqual(['exit status 9', 'late exit status 9']);
    expect(fork.child.posted).toHaveLength(1);
  });

  it('keeps the last words only', () => {
    const { fork, broker } = spawn();
    fork.child.stderr.emit('data', Buffer.from('x'.repeat(5000)));
    fork.child.stderr.emit('data', Buffer.from('the end'));
    expect(broker.lastWords()).toHaveLength(MAX_LAST_WORDS_CHARS);
    expect(broker.lastWords().endsWith('the end')).toBe(true);
  });
});
