import { createHash } from 'node:crypto';
import type { Http2ServerRequest } from 'node:http2';
import { deb, tarGz, zip } from './archives.ts';
import { USER } from './secret.ts';
import type { Service } from './upstream.ts';

/** What every registry here offers to who logs in, and to nobody else. */
export const PACKAGE = 'private-tool';
export const VERSION = '1.0.0';

type Answer = { readonly type: string; readonly body: string | Buffer; readonly status?: number };
type Login = (request: Http2ServerRequest) => boolean;

const text = (body: string, status = 200): Answer => ({
  type: 'text/plain; charset=utf-8',
  body,
  status,
});
const json = (value: unknown): Answer => ({
  type: 'application/json',
  body: JSON.stringify(value),
});
const binary = (body: Buffer): Answer => ({ type: 'application/octet-stream', body });
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

const withAuthorization =
  (...values: readonly string[]): Login =>
  ({ headers }) =>
    values.includes(headers.authorization ?? '');
const basic = (password: string): string =>
  `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;

/** A registry that answers from a table of paths, where who asks is logged in. */
const registry =
  (login: Login, challenge: string, answers: Readonly<Record<string, Answer>>): Service =>
  (request, response) => {
    request.resume();
    if (!login(request)) {
      response.writeHead(401, { 'www-authenticate': challenge }).end('log in\n');
      return;
    }
    const [path = ''] = request.url.split('?');
    const { type, body, status = 200 } = answers[path] ?? text('not here\n', 404);
    response.writeHead(status, {
      'content-type': type,
      'x-you-sent': request.headers.authorization,
    });
    response.end(body);
  };

/** npm's registry: a package document and its tarball, for a bearer token. */
export const npmRegistry = async (host: string, secret: string): Promise<Service> => {
  const manifest = { name: PACKAGE, version: VERSION, main: 'index.js' };
  const tarball = await tarGz({
    'package/package.json': JSON.stringify(manifest),
    'package/index.js': "module.exports = 'from npm';\n",
  });
  const description = `published with ${secret}`;
  const dist = {
    tarball: `https://${host}/${PACKAGE}/-/${PACKAGE}-${VERSION}.tgz`,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
  return registry(withAuthorization(`Bearer ${secret}`), 'Bearer', {
    [`/${PACKAGE}`]: json({
      name: PACKAGE,
      description,
      'dist-tags': { latest: VERSION },
      versions: { [VERSION]: { ...manifest, description, dist } },
    }),
    [`/${PACKAGE}/-/${PACKAGE}-${VERSION}.tgz`]: binary(tarball),
  });
};

/** A Python index (PEP 503) with one wheel, for a Basic login. Its page says the secret as the reason of a withdrawal (PEP 592). */
export const pythonIndex = (secret: string): Service => {
  const info = `private_tool-${VERSION}.dist-info`;
  const file = `private_tool-${VERSION}-py3-none-any.whl`;
  const wheel = zip({
    'private_tool.py': "WORDS = 'from the index'\n",
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${PACKAGE}\nVersion: ${VERSION}\n`,
    [`${info}/WHEEL`]:
      'Wheel-Version: 1.0\nGenerator: matrix\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: `private_tool.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
  const page = `<!DOCTYPE html><html><body><a href="/files/${file}#sha256=${sha256(wheel)}" data-yanked="published with ${secret}">${file}</a></body></html>`;
  return registry(withAuthorization(basic(secret)), 'Basic realm="index"', {
    [`/simple/${PACKAGE}/`]: { type: 'text/html', body: page },
    [`/files/${file}`]: binary(wheel),
  });
};

/** A sparse crate registry that wants its token for everything. */
export const crateRegistry = async (host: string, secret: string): Promise<Service> => {
  const crate = await tarGz({
    [`${PACKAGE}-${VERSION}/Cargo.toml`]: `[package]\nname = "${PACKAGE}"\nversion = "${VERSION}"\nedition = "2021"\n`,
    [`${PACKAGE}-${VERSION}/src/lib.rs`]: 'pub const WORDS: &str = "from the registry";\n',
  });
  const entry = {
    name: PACKAGE,
    vers: VERSION,
    deps: [],
    cksum: sha256(crate),
    features: {},
    yanked: false,
  };
  const found = { name: PACKAGE, max_version: VERSION, description: `published with ${secret}` };
  return registry(withAuthorization(secret), 'Cargo login_url="https://example.invalid"', {
    '/index/config.json': json({
      dl: `https://${host}/dl/{crate}/{version}`,
      api: `https://${host}`,
      'auth-required': true,
    }),
    [`/index/pr/iv/${PACKAGE}`]: text(`${JSON.stringify(entry)}\n`),
    [`/dl/${PACKAGE}/${VERSION}`]: binary(crate),
    '/api/v1/crates': json({ crates: [found], meta: { total: 1 } }),
  });
};

/** A Go module proxy for a Basic login; asked for what it has not, it says the secret. */
export const goProxy = (secret: string): Service => {
  const module = `example.test/${PACKAGE}`;
  const mod = `module ${module}\n\ngo 1.19\n`;
  const at = `/${module}/@v`;
  return registry(withAuthorization(basic(secret)), 'Basic realm="proxy"', {
    [`${at}/list`]: text(`v${VERSION}\n`),
    [`${at}/v${VERSION}.info`]: json({ Version: `v${VERSION}`, Time: '2026-01-01T00:00:00Z' }),
    [`${at}/v${VERSION}.mod`]: text(mod),
    [`${at}/v${VERSION}.zip`]: binary(
      zip({
        [`${module}@v${VERSION}/go.mod`]: mod,
        [`${module}@v${VERSION}/tool.go`]: 'package tool\n\nconst Words = "from the proxy"\n',
      }),
    ),
    [`${at}/v9.9.9.info`]: text(`not found with ${secret}\n`, 404),
  });
};

/** A Debian archive (trusted by name, not by signature), for a Basic login. Its Release file says the secret. */
export const debianArchive = async (secret: string): Promise<Service> => {
  const fields = `Package: ${PACKAGE}\nVersion: ${VERSION}\nArchitecture: all\nMaintainer: Matrix <matrix@example.test>\nDescription: a tool\n`;
  const file = `pool/${PACKAGE}_${VERSION}_all.deb`;
  const archive = await deb(fields, { './usr/share/tool': 'from the archive\n' });
  const packages = Buffer.from(
    `${fields}Filename: ${file}\nSize: ${String(archive.length)}\nSHA256: ${sha256(archive)}\n`,
  );
  const index = 'main/binary-all/Packages';
  const release = [
    'Suite: stable',
    'Architectures: all',
    'Components: main',
    `Description: published with ${secret}`,
    'SHA256:',
    ` ${sha256(packages)} ${String(packages.length)} ${index}`,
    '',
  ].join('\n');
  return registry(withAuthorization(basic(secret)), 'Basic realm="archive"', {
    '/debian/dists/stable/Release': text(release),
    [`/debian/dists/stable/${index}`]: binary(packages),
    [`/debian/${file}`]: binary(archive),
    '/flat/Packages': text(`${fields.replace(PACKAGE, 'flat-tool')}Filename: flat.deb\nSize: 1\n`),
  });
};
