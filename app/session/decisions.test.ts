import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

describe('what a person has to decide', () => {
  const question = {
    what: 'destination' as const,
    scheme: 'https' as const,
    host: 'api.test',
    port: 443,
  };
  const ask = (id: string) => {
    const asked = rig.house.broker?.listeners.ask?.(id, question, new AbortController().signal);
    if (asked === undefined) throw new Error('nobody takes questions');
    return asked;
  };
  const ALLOW = { verdict: 'allow', scope: 'once' } as const;

  it('stands in the summary until it is answered', async () => {
    rig.sessions.attend();
    const { id } = await rig.running();
    const answer = ask('a-1');
    expect(rig.sessions.get(id)?.questions).toMatchObject([{ id: 'a-1', host: 'api.test' }]);
    unwrap(await rig.sessions.answer(id, 'a-1', ALLOW));
    expect(await answer).toEqual({ answer: 'allowed', scope: 'once' });
    expect(rig.sessions.get(id)?.questions).toEqual([]);
    expect(await rig.sessions.answer(id, 'a-1', ALLOW)).toMatchObject({
      ok: false,
      error: { code: 'ask.gone' },
    });
    expect(rig.house.drafts).toContainEqual(
      expect.objectContaining({ kind: 'approval', id: 'a-1', answer: 'allowed' }),
    );
  });

  it('is answered with no at once where nobody is there, and when the session ends', async () => {
    const { id } = await rig.running();
    expect(await ask('a-1')).toMatchObject({ answer: 'nobody' });
    rig.sessions.attend();
    const answer = ask('a-2');
    unwrap(await rig.sessions.stop(id));
    expect(await answer).toMatchObject({ answer: 'nobody' });
    expect(rig.sessions.get(id)?.questions).toEqual([]);
    expect(await rig.sessions.answer(id, 'a-2', ALLOW)).toMatchObject({ ok: false });
  });

  it('can be answered from another process', async () => {
    rig.sessions.attend();
    const { id } = await rig.running();
    const answer = ask('a-1');
    const { inner, service: others } = rig.second();
    expect(others.get(id)?.questions).toMatchObject([{ id: 'a-1' }]);
    expect(await others.answer(id, 'a-2', ALLOW)).toMatchObject({
      ok: false,
      error: { code: 'ask.gone' },
    });
    expect(await others.answer(id, 'a-1', ALLOW)).toMatchObject({ ok: true });
    expect(await answer).toEqual({ answer: 'allowed', scope: 'once' });
    await inner.close();
  });
});
