import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { randomId } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { requestFor } from '../fixtures/inside.ts';
import { fingerprint } from '../fixtures/project.ts';
import {
  createUserProject,
  freshHome,
  leftoversOf,
  openHost,
  runSession,
  testScope,
} from './house.ts';

const IMAGES = fileURLToPath(new URL('../../sandbox-images', import.meta.url));

/** A host whose guard image is built from what the test says. */
const withGuardImage = async (dockerfile: string) => {
  const scope = testScope('image build');
  const { home, env } = freshHome(scope);
  const imagesFolder = join(scope.use(createTestFolder('gbx-images-')).path, 'sandbox-images');
  cpSync(IMAGES, imagesFolder, { recursive: true });
  const path = join(imagesFolder, 'guard', 'Dockerfile');
  const working = readFileSync(path, 'utf8');
  writeFileSync(path, dockerfile);
  const host = await openHost(scope, env, { imagesFolder });
  return {
    host,
    home,
    project: createUserProject(scope),
    mend: () => writeFileSync(path, working),
  };
};

const containersRunning = (mark: string): boolean =>
  execFileSync('docker', ['ps', '-a', '--no-trunc', '--format', '{{.Command}}'], {
    encoding: 'utf8',
  }).includes(mark);

describe('an image that cannot be built', () => {
  it('fails the start with the step and its last lines, leaves nothing, and works once mended', async () => {
    const mark = `mark-${randomId()}`;
    const { host, home, project, mend } = await withGuardImage(
      `ARG BASE\nFROM \${BASE}\nUSER root\n# step: compiling the ${mark}\nRUN (echo first line; echo "cc: no such file") >&2; exit 7\n`,
    );
    const before = fingerprint(project.path);
    const { id, summary, out } = await runSession(host, requestFor(project.path), 'echo hi');
    expect(out).toBe('');
    expect(summary).toMatchObject({ state: 'failed', problem: { code: 'image.build-failed' } });
    const { message = '', hint } = summary.problem ?? {};
    expect(message).toContain('The guard image could not be built');
    expect(message).toContain(`compiling the ${mark} (step 4 of `);
    expect(message).toContain('first line\ncc: no such file');
    expect(message).toContain('returned a non-zero code: 7');
    expect(hint).toMatch(/start again/i);
    expect(leftoversOf(home, id)).toEqual([]);
    expect(containersRunning(mark)).toBe(false);
    expect(existsSync(join(home, 'sessions', id, 'workspace'))).toBe(false);
    expect(fingerprint(project.path)).toBe(before);

    mend();
    const again = await runSession(host, requestFor(project.path), 'echo hi');
    expect(again).toMatchObject({ out: 'hi\n', summary: { state: 'closed', exitCode: 0 } });
  });

  it('says so where a mirror cannot be reached', async () => {
    const { host, home, project } = await withGuardImage(
      'ARG BASE\nFROM ${BASE}\nUSER root\n# step: fetching a tool\n' +
        'RUN npm install --global --fetch-retries 0 --registry http://127.0.0.1:9/ nothing-of-that-name\n',
    );
    const { id, summary } = await runSession(host, requestFor(project.path), 'true');
    expect(summary).toMatchObject({
      state: 'failed',
      problem: {
        code: 'image.build-failed',
        message: expect.stringMatching(/fetching a tool \(step 4 of \d+\).*ECONNREFUSED/s),
        hint: expect.stringMatching(/package mirror|npm registry/),
      },
    });
    expect(leftoversOf(home, id)).toEqual([]);
  });

  it('names the folder where the recipes are not there', async () => {
    const scope = testScope('no images');
    const { home, env } = freshHome(scope);
    const project = createUserProject(scope);
    const host = await openHost(scope, env, { imagesFolder: '/nonexistent/images' });
    const { id, summary } = await runSession(host, requestFor(project.path), 'true');
    expect(summary).toMatchObject({
      state: 'failed',
      problem: {
        code: 'image.build-failed',
        message: expect.stringContaining('/nonexistent/images'),
        hint: expect.stringMatching(/\w/),
      },
    });
    expect(leftoversOf(home, id)).toEqual([]);
  });
});
