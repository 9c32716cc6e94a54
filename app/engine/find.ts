import type Docker from 'dockerode';
import { z } from 'zod';
import { err, fail, ok, systemClock, type Result, type Scope } from '../kit/index.ts';
import { addressText, engineCandidates, type Candidate, type EngineAddress } from './address.ts';
import { dockerAt, ping, version } from './client.ts';
import { createEngine } from './engine.ts';
import { engineFailure, wordsOf } from './failure.ts';
import { thisOwner } from './owner.ts';
import type { Engine, EngineFailure, EngineOptions, FindEngine } from './port.ts';

/** How long one place may take to answer a ping. */
export const PING_TIMEOUT_MS = 3000;

/** The engine's /version, as far as it is used. */
const VersionAnswer = z.looseObject({
  Version: z.string().max(128),
  Arch: z.string().max(32),
  ApiVersion: z.string().max(32).optional(),
  Components: z.array(z.looseObject({ Name: z.string().max(128) })).optional(),
});

/** `Docker 20.10`, `Podman 5.6`. */
export const engineTitle = (release: string, components: readonly string[]): string => {
  const name = components.some((component) => /podman/i.test(component)) ? 'Podman' : 'Docker';
  return `${name} ${/^\d+(\.\d+)?/.exec(release)?.[0] ?? release}`;
};

type Answered = { readonly docker: Docker; readonly title: string; readonly architecture: string };

const ask = async (
  address: EngineAddress,
  scope: Scope,
): Promise<Result<Answered, EngineFailure>> => {
  try {
    const docker = dockerAt(address, scope);
    const signal = AbortSignal.any([AbortSignal.timeout(PING_TIMEOUT_MS), scope.signal]);
    await ping(docker, signal);
    const about = VersionAnswer.parse(await version(docker, signal));
    const components = (about.Components ?? []).map(({ Name }) => Name);
    return ok({
      docker,
      title: engineTitle(about.Version, components),
      architecture: about.Arch,
    });
  } catch (thrown) {
    const failed = engineFailure(thrown, 'asking');
    if (failed.code === 'engine.no-permission') return fail(failed.code, 'permission denied');
    const said = wordsOf(thrown);
    const words = /ECONNREFUSED/.test(said)
      ? 'nothing listens there'
      : /ENOENT/.test(said)
        ? 'no such socket'
        : /aborted|timeout/i.test(said)
          ? 'no answer in time'
          : said;
    return fail('engine.not-found', words);
  }
};

const placeOf = ({ from, address }: Candidate): string =>
  address.ok && !from.startsWith('DOCKER_HOST') ? `${from} at ${addressText(address.value)}` : from;

/** Asks each place in turn; the first that answers wins, and a failure tells why each did not. */
export const findAmong = async (
  candidates: readonly Candidate[],
  options: EngineOptions,
  scope: Scope,
): Promise<Result<Engine, EngineFailure>> => {
  const tried: {
    readonly place: string;
    readonly why: EngineFailure | { code: string; message: string };
  }[] = [];
  const seen = new Set<string>();
  for (const candidate of candidates) {
    if (!candidate.address.ok) {
      tried.push({ place: placeOf(candidate), why: candidate.address.error });
      continue;
    }
    const text = addressText(candidate.address.value);
    if (seen.has(text)) continue;
    seen.add(text);
    const own = scope.child(`engine at ${text}`);
    const answer = await ask(candidate.address.value, own);
    if (answer.ok) {
      return ok(
        createEngine(
          {
            ...options,
            ...answer.value,
            address: text,
            owner: await thisOwner(),
            clock: systemClock,
          },
          own,
        ),
      );
    }
    await own.close();
    tried.push({ place: placeOf(candidate), why: answer.error });
  }
  const list = tried.map(({ place, why }) => `${place}: ${why.message}`).join('; ');
  const refused = tried.find(({ why }) => why.code === 'engine.no-permission');
  if (refused !== undefined) {
    return fail(
      'engine.no-permission',
      `The container engine refuses this user (${refused.place}). Looked at: ${list}.`,
      'Add yourself to the group that owns the socket (usually “docker”) and log in again, or use a rootless engine.',
    );
  }
  return err({
    code: 'engine.not-found',
    message: `No container engine answers. Looked at: ${list}.`,
    hint: 'Install and start Docker or Podman, or set DOCKER_HOST.',
  });
};

export const findEngine: FindEngine = (options, scope) =>
  findAmong(engineCandidates(options.env), options, scope);
