import { createStore, type StoreApi } from 'zustand/vanilla';
import type { CredentialInput, CredentialSummary, Problem } from '../../../app/contract/index.ts';
import type { WireClient } from '../../wire/index.ts';

export type Credentials = {
  readonly list: readonly CredentialSummary[] | undefined;
  readonly problem: Problem | undefined;
  /** The sheet that is open. */
  readonly sheet:
    | { readonly type: 'add' }
    | { readonly type: 'rotate' | 'remove'; readonly name: string }
    | undefined;
  readonly openSheet: (sheet: Credentials['sheet']) => void;
  readonly load: () => Promise<void>;
  /** Each returns the problem, if there was one. The secret is passed on and kept nowhere. */
  readonly add: (input: CredentialInput) => Promise<Problem | undefined>;
  readonly rotate: (name: string, secret: string) => Promise<Problem | undefined>;
  readonly remove: (name: string) => Promise<Problem | undefined>;
  /** Tries a keychain again that was locked; the host tells by its status what came of it. */
  readonly retry: () => Promise<void>;
  /** Opens (or makes) the sealed file; the passphrase is passed on and kept nowhere. */
  readonly unlock: (passphrase: string) => Promise<Problem | undefined>;
};
export type CredentialsStore = StoreApi<Credentials>;

const byName = (a: CredentialSummary, b: CredentialSummary): number => a.name.localeCompare(b.name);

export const createCredentialsStore = (
  client: WireClient,
  tell: (title: string) => void,
): CredentialsStore =>
  createStore<Credentials>((set, get) => {
    const put = (summary: CredentialSummary): void => {
      const others = (get().list ?? []).filter((one) => one.name !== summary.name);
      set({ list: [...others, summary].toSorted(byName) });
    };
    return {
      list: undefined,
      problem: undefined,
      sheet: undefined,
      openSheet: (sheet) => {
        set({ sheet });
      },
      load: async () => {
        const answer = await client.call('credential.list', {});
        if (answer.ok) set({ list: answer.value.toSorted(byName), problem: undefined });
        else set({ problem: answer.error, list: undefined });
      },
      add: async (input) => {
        const answer = await client.call('credential.add', input);
        if (!answer.ok) return answer.error;
        put(answer.value);
        set({ sheet: undefined });
        tell(`${answer.value.name} is stored`);
        return undefined;
      },
      rotate: async (name, secret) => {
        const answer = await client.call('credential.rotate', { name, secret });
        if (!answer.ok) return answer.error;
        put(answer.value);
        set({ sheet: undefined });
        tell(`${name} has a new value`);
        return undefined;
      },
      remove: async (name) => {
        const answer = await client.call('credential.remove', { name });
        if (!answer.ok) return answer.error;
        set({ list: (get().list ?? []).filter((one) => one.name !== name), sheet: undefined });
        tell(`${name} is removed`);
        return undefined;
      },
      retry: async () => {
        await client.call('vault.unlock', {});
        await get().load();
      },
      unlock: async (passphrase) => {
        const answer = await client.call('vault.unlock', { passphrase });
        if (!answer.ok) return answer.error;
        await get().load();
        return undefined;
      },
    };
  });
