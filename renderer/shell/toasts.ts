import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Problem } from '../../app/contract/index.ts';
import type { Clock } from '../../app/kit/index.ts';

/** How long good news stays; failures stay until they are closed. */
export const TOAST_MS = 5_000;
/** Most at once; the oldest goes. */
export const MAX_TOASTS = 4;

export type Toast = {
  readonly id: number;
  readonly title: string;
  readonly problem?: Problem;
};

export type Toasts = {
  readonly toasts: readonly Toast[];
  readonly tell: (title: string) => void;
  /** `tried` says what failed: `Stopping the session failed`. */
  readonly report: (tried: string, problem: Problem) => void;
  readonly close: (id: number) => void;
};
export type ToastStore = StoreApi<Toasts>;

export const createToasts = (clock: Clock): ToastStore => {
  let nextId = 1;
  return createStore<Toasts>((set) => {
    const close = (id: number): void => {
      set((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) }));
    };
    const add = (toast: Omit<Toast, 'id'>): number => {
      const id = nextId++;
      set((state) => ({
        toasts: [
          // The same failure twice is one failure.
          ...state.toasts.filter(
            (other) =>
              other.title !== toast.title || other.problem?.message !== toast.problem?.message,
          ),
          { id, ...toast },
        ].slice(-MAX_TOASTS),
      }));
      return id;
    };
    return {
      toasts: [],
      tell: (title) => {
        const id = add({ title });
        clock.after(TOAST_MS, () => {
          close(id);
        });
      },
      report: (tried, problem) => {
        add({ title: tried, problem });
      },
      close,
    };
  });
};
