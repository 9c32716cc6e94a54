import type { ProjectInspection } from '../../app/contract/index.ts';

export const HOME = '/home/me';
export const PROJECT = '/home/me/harbor-api';

export const inspection = (path: string, full: boolean): ProjectInspection => ({
  path,
  name: path.slice(path.lastIndexOf('/') + 1),
  git: { branch: 'main', uncommitted: 3 },
  mounts: [
    { path, how: 'copy-on-write', why: 'the project' },
    {
      path: `${HOME}/.claude`,
      how: 'own-volume',
      why: 'so that Claude Code remembers between sessions',
    },
    {
      path: '/etc/ssl/certs',
      how: 'read-only',
      why: 'so that tools trust this session’s inspector',
    },
  ],
  hidden: [
    { path: '.env', directory: false, by: 'name', rule: '.env files' },
    { path: 'deploy/prod/.env.production', directory: false, by: 'name', rule: '.env files' },
    { path: 'certs/dev-key.pem', directory: false, by: 'content', rule: 'private key inside' },
    {
      path: 'infra/terraform.tfstate',
      directory: false,
      by: 'content',
      rule: '2 secrets inside (AWS)',
    },
    { path: '.npmrc', directory: false, by: 'name', rule: 'package registry sign-ins' },
    ...(full
      ? Array.from({ length: 1400 }, (_, i) => ({
          path: `packages/service-${i}/config/environments/production/.env.local`,
          directory: false,
          by: 'name' as const,
          rule: '.env files',
        }))
      : []),
  ],
  scan: { files: 2184, bytes: 38_400_000, unread: 12, durationMs: 412 },
  modes: [
    { mode: 'overlay', available: true },
    { mode: 'clone', available: false, reason: 'clones come in a later version' },
    { mode: 'live', available: true },
  ],
  warnings: full
    ? [
        {
          code: 'workspace.disk-full',
          message: 'The disk has 900 MB left; a session that installs packages may fill it.',
        },
      ]
    : [],
});
