import { basename } from 'node:path';
import type { ProjectInspection } from '../contract/index.ts';
import { asHiddenFile, type HiddenSet } from './find-hidden.ts';
import type { GitSight } from './git-state.ts';
import type { ProjectFolder } from './project-folder.ts';

/** Where the sandbox's own home is. */
const SANDBOX_HOME = '/home/glovebox';
const LINUX_ONLY = 'Only where the container engine runs on this Linux machine itself.';

/** Puts together what the app shows of a project before a session starts. */
export const describeProject = (
  project: ProjectFolder,
  git: GitSight | undefined,
  hidden: HiddenSet,
  nested: readonly string[],
): ProjectInspection => {
  const warnings: ProjectInspection['warnings'] = [];
  if (project.readOnly) {
    warnings.push({
      code: 'project.read-only',
      message:
        'The folder’s disk is read-only: a session can work on it, but its changes cannot be accepted.',
    });
  }
  if (git?.warning !== undefined)
    warnings.push({ code: 'workspace.unsupported', message: git.warning });
  if (nested.length > 0) {
    warnings.push({
      code: 'workspace.unsupported',
      message: `Other disks are mounted in this folder and stay hidden: ${nested.slice(0, 8).join(', ')}.`,
    });
  }
  const linux = process.platform === 'linux';
  return {
    path: project.path,
    name: basename(project.path),
    ...(git === undefined ? {} : { git: git.branch === undefined ? {} : { branch: git.branch } }),
    mounts: [
      {
        path: project.path,
        how: 'copy-on-write',
        why: 'the project; what the session changes is kept apart until you accept it',
      },
      {
        path: SANDBOX_HOME,
        how: 'memory',
        why: 'a home folder of its own, gone when the session ends',
      },
      { path: '/tmp', how: 'memory', why: 'temporary files, gone when the session ends' },
      {
        path: '/etc/ssl/certs',
        how: 'read-only',
        why: 'certificates, so that tools trust this session’s inspector',
      },
    ],
    hidden: hidden.found.map(asHiddenFile),
    scan: hidden.scan,
    modes: [
      linux
        ? { mode: 'overlay', available: true }
        : { mode: 'overlay', available: false, reason: LINUX_ONLY },
      { mode: 'clone', available: false, reason: 'This comes in a later version.' },
      project.readOnly
        ? { mode: 'live', available: false, reason: 'The folder’s disk is read-only.' }
        : { mode: 'live', available: true },
    ],
    warnings,
  };
};
