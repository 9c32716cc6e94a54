import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxUser } from '../policy/index.ts';
import type { EtcFile } from './etc-files.ts';
import type { SessionPaths } from './paths.ts';

/** Not root even where we are, and not the sandbox's user either: the two share a network namespace. */
const GATEWAY_USER: SandboxUser = { uid: 65_532, gid: 65_532 };

/** Who the gateway's program runs as: somebody who may reach the link folder, and nobody with powers. */
export const gatewayUser = (): SandboxUser => {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined || uid === 0 ? GATEWAY_USER : { uid, gid };
};

/**
 * The session's run folder. Where root runs it the gateway is another user than we: its group may pass
 * through the link folder and connect, and can change nothing; the folder above keeps others out.
 */
export const makeRunFolder = async (paths: SessionPaths): Promise<void> => {
  await mkdir(paths.run, { recursive: true, mode: 0o700 });
  await mkdir(paths.link, { mode: 0o700 });
  await mkdir(paths.guard, { mode: 0o700 });
  await mkdir(paths.etc, { mode: 0o755 });
  if (process.getuid?.() !== 0) return;
  await chown(paths.link, 0, GATEWAY_USER.gid);
  await chmod(paths.link, 0o710);
};

/** World-readable: inside, another uid reads them; the folder above is ours alone. */
export const writeEtcFiles = async (folder: string, files: readonly EtcFile[]): Promise<void> => {
  await Promise.all(
    files.map((file) => writeFile(join(folder, file.name), file.text, { mode: 0o644, flag: 'wx' })),
  );
};
