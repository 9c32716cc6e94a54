import type { OwnerIdentity } from './owner.ts';

/** Labels on everything Glovebox creates in an engine; `sweep` and `removeSession` go by them alone. */
export const LABEL = {
  install: 'dev.glovebox.install',
  session: 'dev.glovebox.session',
  role: 'dev.glovebox.role',
  ownerPid: 'dev.glovebox.owner-pid',
  ownerStart: 'dev.glovebox.owner-start',
  /** Name of an image's folder, on images only. */
  image: 'dev.glovebox.image',
  /** Id of the image below, on user layers only: they go with it. */
  below: 'dev.glovebox.below',
  /** Version of the assistant inside, on assistant images only. */
  version: 'dev.glovebox.version',
} as const;

export type Role = 'gateway' | 'sandbox' | 'guard' | 'working-copy';

export const sessionLabels = (
  install: string,
  session: string,
  role: Role,
  owner: OwnerIdentity,
): Record<string, string> => ({
  [LABEL.install]: install,
  [LABEL.session]: session,
  [LABEL.role]: role,
  [LABEL.ownerPid]: String(owner.pid),
  [LABEL.ownerStart]: owner.start,
});

/** The engine's list filter for things of one installation, or of one of its sessions. */
export const labelFilter = (install: string, session?: string): { label: string[] } => ({
  label: [
    `${LABEL.install}=${install}`,
    ...(session === undefined ? [LABEL.session] : [`${LABEL.session}=${session}`]),
  ],
});

/** Who owns a labelled thing, or undefined where the labels do not say (such a thing is left alone). */
export const ownerOf = (
  labels: Readonly<Record<string, string>> | null | undefined,
): { readonly session: string; readonly owner: OwnerIdentity } | undefined => {
  const session = labels?.[LABEL.session];
  const pid = Number(labels?.[LABEL.ownerPid]);
  const start = labels?.[LABEL.ownerStart];
  if (session === undefined || start === undefined || start === '') return undefined;
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  return { session, owner: { pid, start } };
};
