import { execFileSync } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createForge } from '../../app/broker/testing/git-forge.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { createTestProject } from '../fixtures/project.ts';
import { claimedClients, expectClaimHolds, heldClients } from './holds.ts';
import {
  crateRegistry,
  debianArchive,
  goProxy,
  npmRegistry,
  PACKAGE,
  pythonIndex,
  VERSION,
} from './registries.ts';
import { openMatrix, type Matrix } from './rig.ts';
import { findInside, USER } from './secret.ts';
import { startUpstream, type Service, type Upstream } from './upstream.ts';

const HOSTS = {
  git: 'git.matrix.test',
  npm: 'npm.matrix.test',
  pip: 'pip.matrix.test',
  cargo: 'cargo.matrix.test',
  go: 'go.matrix.test',
  apt: 'apt.matrix.test',
} as const;

const SECRETS = {
  // Longer than its placeholder: what git counts has to hold all the same.
  git: 'ghp_MatrixMatrixMatrixMatrixMatrix0123456789',
  npm: 'npm_MatrixRealTokenMatrixRealToken012345',
  pip: 'real/matrix+index~password-88e2b4',
  cargo: 'cioRealMatrixRealMatrixRealMatrix0123',
  go: 'real-matrix-proxy-password-51d0aa',
  apt: 'real-matrix-archive-password-1f0c77',
} as const;

let matrix: Matrix;
let upstream: Upstream;

const basicOf = (user: string, secret: string): string =>
  `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;

/** A forge whose hook says the secret on every push, and whose every answer has it in a header. */
const carelessForge = (folder: string): Service => {
  const project = createTestProject();
  const bare = join(folder, 'me', 'work.git');
  execFileSync('git', ['clone', '-q', '--bare', project.path, bare], { stdio: 'pipe' });
  void project.close();
  execFileSync('git', ['config', 'http.receivepack', 'true'], { cwd: bare });
  const hook = createTestFolder('hook-', join(bare, 'hooks'));
  hook.write({ '../post-receive': `#!/bin/sh\necho "published with ${SECRETS.git} by hook"\n` });
  chmodSync(join(bare, 'hooks', 'post-receive'), 0o755);
  const { listener } = createForge(folder, SECRETS.git);
  return (request, response) => {
    response.setHeader('x-you-sent', request.headers.authorization ?? 'nothing');
    // The compatible halves of HTTP/2's requests and answers are all that the forge uses.
    listener(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  };
};

beforeAll(async () => {
  matrix = await openMatrix(async ({ authority, scope }) => {
    const folder = scope.use(createTestFolder('gbx-forge-')).path;
    upstream = scope.use(
      await startUpstream({
        identity: await authority.issue(Object.values(HOSTS)),
        services: {
          [HOSTS.git]: carelessForge(folder),
          [HOSTS.npm]: await npmRegistry(HOSTS.npm, SECRETS.npm),
          [HOSTS.pip]: pythonIndex(SECRETS.pip),
          [HOSTS.cargo]: await crateRegistry(HOSTS.cargo, SECRETS.cargo),
          [HOSTS.go]: goProxy(SECRETS.go),
          [HOSTS.apt]: await debianArchive(SECRETS.apt),
        },
      }),
    );
    const lend = (name: keyof typeof HOSTS, kind: string, env?: string) => ({
      name,
      kind,
      host: `${HOSTS[name]}:443`,
      secret: SECRETS[name],
      ...(env === undefined ? {} : { env }),
    });
    return {
      lent: [
        lend('git', 'github'),
        lend('npm', 'npm'),
        lend('pip', 'basic', 'PIP_TOKEN'),
        lend('cargo', 'cargo', 'CARGO_REGISTRIES_MATRIX_TOKEN'),
        lend('go', 'basic', 'GO_TOKEN'),
        lend('apt', 'basic', 'APT_TOKEN'),
      ],
      routes: Object.fromEntries(
        Object.values(HOSTS).map((host) => [`${host}:443`, upstream.port]),
      ),
    };
  });
});
afterAll(async () => {
  await matrix.close();
});

const run = async (script: string) => {
  const ran = await matrix.inside.run(`set -e; mkdir -p /tmp/work; cd /tmp/work\n${script}`);
  if (ran.status !== 0)
    throw new Error(`status ${String(ran.status)}\n${ran.stdout}\n${ran.stderr}`);
  return ran;
};

describe('git and package managers in a real sandbox', () => {
  it('git clones, fetches and pushes', async () => {
    const ran = await run(`
      export GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 GIT_TRACE_REDACT=0
      git clone https://${HOSTS.git}/me/work.git; cd work; cat README.md
      git -c user.name=a -c user.email=a@example.com commit --allow-empty -qm more
      git push origin HEAD:more; git fetch origin; git log --oneline origin/more`);
    expect(ran.stdout).toContain('# sample');
    expect(ran.stderr).toMatch(/remote: published with \S+ by hook/);
    await expectClaimHolds(
      {
        client: 'git',
        host: HOSTS.git,
        secret: SECRETS.git,
        credential: 'git',
        variable: 'GITHUB_TOKEN',
        login: basicOf('x-access-token', SECRETS.git),
        program: /git-remote-https/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('npm installs', async () => {
    const ran = await run(`
      printf 'registry=https://${HOSTS.npm}/\\n//${HOSTS.npm}/:_authToken=\${NPM_TOKEN}\\n' > .npmrc
      npm install ${PACKAGE}; node -p 'require("${PACKAGE}")'; 
      # What npm got; what it prints has the ends of tokens starred out.
      grep -rhaom1 'published with npm_[A-Za-z0-9]*' ~/.npm/_cacache`);
    expect(ran.stdout).toContain('from npm');
    expect(ran.stdout).toContain('published with ');
    await expectClaimHolds(
      {
        client: 'npm',
        host: HOSTS.npm,
        secret: SECRETS.npm,
        credential: 'npm',
        variable: 'NPM_TOKEN',
        login: `Bearer ${SECRETS.npm}`,
        program: /npm/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('pip installs', async () => {
    const ran = await run(`
      pip install --no-deps --target site --index-url "https://${USER}:$PIP_TOKEN@${HOSTS.pip}/simple/" ${PACKAGE}==${VERSION}
      PYTHONPATH=site python3 -c 'import private_tool; print(private_tool.WORDS)'`);
    expect(ran.stdout).toContain('from the index');
    expect(ran.stdout + ran.stderr).toContain('published with ');
    await expectClaimHolds(
      {
        client: 'pip',
        host: HOSTS.pip,
        secret: SECRETS.pip,
        credential: 'pip',
        variable: 'PIP_TOKEN',
        login: basicOf(USER, SECRETS.pip),
        program: /pip/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('cargo fetches', async () => {
    const ran = await run(`
      export CARGO_HOME=/tmp/work/cargo CARGO_REGISTRIES_MATRIX_INDEX=sparse+https://${HOSTS.cargo}/index/
      export CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS=cargo:token
      mkdir -p crate/src; cd crate; echo 'fn main() {}' > src/main.rs
      printf '[package]\\nname = "c"\\nversion = "0.1.0"\\nedition = "2021"\\n[dependencies]\\n${PACKAGE} = { version = "1", registry = "matrix" }\\n' > Cargo.toml
      cargo fetch; cat $CARGO_HOME/registry/src/*/${PACKAGE}-${VERSION}/src/lib.rs
      cargo search --registry matrix private`);
    expect(ran.stdout).toContain('from the registry');
    expect(ran.stdout).toContain('published with ');
    await expectClaimHolds(
      {
        client: 'cargo',
        host: HOSTS.cargo,
        secret: SECRETS.cargo,
        credential: 'cargo',
        variable: 'CARGO_REGISTRIES_MATRIX_TOKEN',
        login: SECRETS.cargo,
        program: /cargo/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('go downloads modules', async () => {
    const ran = await run(`
      export GOPATH=/tmp/work/gopath GOPROXY=https://${HOSTS.go} GONOSUMDB='*' NETRC=/tmp/work/netrc GOFLAGS=-modcacherw
      printf 'machine ${HOSTS.go} login ${USER} password %s\\n' "$GO_TOKEN" > $NETRC
      mkdir -p module; cd module; go mod init example.test/mine
      go get example.test/${PACKAGE}@v${VERSION}; cat $GOPATH/pkg/mod/example.test/${PACKAGE}@v${VERSION}/tool.go
      go list -m example.test/${PACKAGE}@v9.9.9 || echo refused`);
    expect(ran.stdout).toContain('from the proxy');
    expect(ran.stderr).toContain('not found with ');
    await expectClaimHolds(
      {
        client: 'go',
        host: HOSTS.go,
        secret: SECRETS.go,
        credential: 'go',
        variable: 'GO_TOKEN',
        login: basicOf(USER, SECRETS.go),
        program: /go/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('apt reads a private archive', async () => {
    const ran = await run(`
      mkdir -p apt/state/lists/partial apt/cache/archives/partial apt/parts; cd apt
      echo 'deb [trusted=yes arch=all] https://${HOSTS.apt}/debian stable main' > sources.list
      echo 'deb [trusted=yes] https://${HOSTS.apt}/flat /' >> sources.list
      printf 'machine ${HOSTS.apt} login ${USER} password %s\\n' "$APT_TOKEN" > auth.conf
      cp /var/lib/dpkg/status state/status
      printf '%s\\n' 'Dir::State "/tmp/work/apt/state";' 'Dir::State::status "/tmp/work/apt/state/status";' 'Dir::Cache "/tmp/work/apt/cache";' \\
        'Dir::Etc::sourcelist "/tmp/work/apt/sources.list";' 'Dir::Etc::sourceparts "/tmp/work/apt/parts";' \\
        'Dir::Etc::netrc "/tmp/work/apt/auth.conf";' > apt.conf
      export APT_CONFIG=/tmp/work/apt/apt.conf
      apt-get update; apt-get download ${PACKAGE}; apt-cache show flat-tool; grep -h published state/lists/*Release
      dpkg-deb --fsys-tarfile ${PACKAGE}_${VERSION}_all.deb | tar -xO`);
    expect(ran.stdout).toContain('from the archive');
    expect(ran.stdout).toContain('published with ');
    await expectClaimHolds(
      {
        client: 'apt',
        host: HOSTS.apt,
        secret: SECRETS.apt,
        credential: 'apt',
        variable: 'APT_TOKEN',
        login: basicOf(USER, SECRETS.apt),
        program: /apt/,
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('none of the secrets is anywhere inside', async () => {
    const { stdout } = await matrix.inside.run(findInside(Object.values(SECRETS)));
    expect(stdout.trim()).toBe('found: []');
  });

  it('every claim about this family was held', () => {
    expect(heldClients()).toEqual(claimedClients('packages'));
  });
});
