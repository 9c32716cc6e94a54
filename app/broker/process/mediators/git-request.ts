import { fail, ok, type Result } from '../../../kit/index.ts';
import type { GitOperation } from '../../../policy/index.ts';

/** One request of a git client over HTTP (gitprotocol-http(5)). */
export type GitRequest = {
  readonly operation: GitOperation;
  /** As rules name it: percent escapes read, without the first slash and without `.git`. */
  readonly repository: string;
  /** `advertise` lists the refs, `exchange` does what was asked for. */
  readonly step: 'advertise' | 'exchange';
};

// Servers differ in what they cut off an ending or fold in it; whatever one of them may take for a
// push is judged as one.
const EXCHANGE = /^(.*)\/git-(upload-pack|receive-pack|upload-archive)(?:[/;].*)?$/is;
const ADVERTISE = /^(.*)\/info\/refs(?:[/;].*)?$/is;

const decode = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    // No UTF-8: no name that a rule could speak of, but still a push where it ends like one.
    return path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
};

/** The name that rules know a repository by; some servers would cut off what follows a semicolon. */
const repositoryOf = (path: string): Result<string> => {
  if (path.includes(';'))
    return fail('git.unreadable', 'The path of the repository can be read in two ways.');
  const parts = path.split('/').filter((part) => part !== '');
  return ok(parts.join('/').replace(/(?:\.git)+$/i, ''));
};

const operationOf = (service: string): GitOperation =>
  service.toLowerCase() === 'receive-pack' ? 'push' : 'fetch';

const SERVICE = /^git-(upload-pack|receive-pack|upload-archive)$/i;

/**
 * Tells a git client's requests from others by path, query and the methods that it may be taken to
 * have (`methodsOf`); undefined for all that is none.
 * `git.unreadable` where the query names its service twice or a service that none has. `info/refs`
 * without a service is the old way of fetching, without a server's help.
 */
export const readGitRequest = (
  methods: readonly string[],
  target: string,
): Result<GitRequest | undefined> => {
  const mark = target.indexOf('?');
  const raw = mark < 0 ? target : target.slice(0, mark);
  const path = decode(raw);
  // What only reads exchanges nothing, but may list the refs of a repository with such a name.
  const reads = methods.every((method) => method === 'GET' || method === 'HEAD');
  const [, exchanged, pack] = reads ? [] : (EXCHANGE.exec(path) ?? []);
  if (exchanged !== undefined && pack !== undefined) {
    const repository = repositoryOf(exchanged);
    return repository.ok
      ? ok({ operation: operationOf(pack), repository: repository.value, step: 'exchange' })
      : repository;
  }
  const [, advertised] = ADVERTISE.exec(path) ?? [];
  if (advertised === undefined) return ok(undefined);
  const services = new URLSearchParams(mark < 0 ? '' : target.slice(mark)).getAll('service');
  const [service, second] = services;
  if (second !== undefined)
    return fail('git.unreadable', 'The request names two services of git at once.');
  const named = service === undefined ? 'upload-pack' : SERVICE.exec(service)?.[1];
  if (named === undefined)
    return fail('git.unreadable', 'The request names a service that git does not have.');
  const repository = repositoryOf(advertised);
  return repository.ok
    ? ok({ operation: operationOf(named), repository: repository.value, step: 'advertise' })
    : repository;
};
