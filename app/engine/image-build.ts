import type Docker from 'dockerode';
import { z } from 'zod';
import { err, fail, ok, type Result } from '../kit/index.ts';
import { engineFailure } from './failure.ts';
import type { ImageFolder } from './image-recipe.ts';
import type { EngineFailure } from './port.ts';
import { tarOf, type TarEntry } from './tarball.ts';

/** How many of a failed step's last output lines are shown. */
export const MAX_OUTPUT_LINES = 12;
/** Words of a build that its own session gave up. */
export const CALLED_OFF = 'was called off';
const MAX_LINE_CHARS = 400;
/** Lines that the builder adds to a step's output. */
const BUILDERS_OWN = /^(?: ---> |Removing intermediate container )/;
const TERMINAL_SEQUENCES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');

/** One message of the builder's answer, as far as it matters here (Engine API, ImageBuild). */
const BuildMessage = z.looseObject({
  stream: z.string().optional(),
  error: z.string().optional(),
  aux: z.looseObject({ ID: z.string().optional() }).optional(),
});

export type BuildRequest = {
  readonly image: ImageFolder;
  readonly entries: readonly TarEntry[];
  readonly tag: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
};

/** Follows the builder's messages: which step runs, the step's last lines, and how it ended. */
export const createBuildReader = (
  image: Pick<ImageFolder, 'name' | 'steps'>,
  onStep: (message: string, fraction: number) => void,
) => {
  let step = 0;
  let total = 0;
  let lines: string[] = [];
  let failed: string | undefined;
  let unread = '';
  const words = (): string => image.steps[step - 1]?.words ?? 'finishing';
  const addOutput = (text: string): void => {
    const started = /^Step (\d+)\/(\d+) : /.exec(text);
    if (started !== null) {
      step = Number(started[1]);
      total = Number(started[2]);
      lines = [];
      onStep(
        `building the ${image.name} image: ${words()} (${String(step)} of ${String(total)})`,
        (step - 1) / total,
      );
      return;
    }
    // Without colours and cursor movements: these lines end up in an error message.
    const plain = text
      .replace(TERMINAL_SEQUENCES, '')
      .replace(/[^\n\t\x20-\x7e\u00a0-\uffff]/g, '');
    const fresh = plain.split('\n').map((line) => line.trimEnd().slice(0, MAX_LINE_CHARS));
    lines = [...lines, ...fresh.filter((line) => line !== '' && !BUILDERS_OWN.test(line))].slice(
      -MAX_OUTPUT_LINES,
    );
  };
  return {
    add: (chunk: string): void => {
      const parts = (unread + chunk).split('\n');
      unread = parts.pop() ?? '';
      for (const part of parts) {
        if (part.trim() === '') continue;
        const message = BuildMessage.safeParse(JSON.parse(part));
        if (!message.success) continue;
        if (message.data.stream !== undefined) addOutput(message.data.stream);
        if (message.data.error !== undefined) failed = message.data.error;
      }
    },
    /** Undefined where no error came. */
    failure: ():
      | { readonly step: string; readonly said: string; readonly output: string }
      | undefined =>
      failed === undefined
        ? undefined
        : {
            step:
              step === 0
                ? 'reading the Dockerfile'
                : `${words()} (step ${String(step)} of ${String(total)})`,
            said: failed,
            output: lines.join('\n'),
          },
  };
};

const hintFor = (text: string): string => {
  if (/no space left on device/i.test(text))
    return 'Free some space on the engine’s disk and start again.';
  if (/certificate|SSL|TLS/i.test(text)) {
    return 'If a proxy inspects this network, name its certificate in NODE_EXTRA_CA_CERTS and start again.';
  }
  if (/resolve|temporary failure|network|timed? ?out|connect|404|502|503/i.test(text)) {
    return 'Check that the machine reaches its package mirror and the npm registry, then start again.';
  }
  return 'Start again; what was built so far is kept.';
};

/** Builds one image with the classic builder. Stops when the signal aborts. */
export const buildImage = async (
  docker: Docker,
  request: BuildRequest,
  onStep: (message: string, fraction: number) => void,
  signal: AbortSignal,
): Promise<Result<void, EngineFailure>> => {
  const { image } = request;
  const reader = createBuildReader(image, onStep);
  try {
    const stream = await docker.buildImage(tarOf(request.entries), {
      t: request.tag,
      version: '1',
      rm: true,
      forcerm: true,
      buildargs: request.args,
      labels: request.labels,
      abortSignal: signal,
    });
    stream.setEncoding('utf8');
    for await (const chunk of stream) reader.add(String(chunk));
    signal.throwIfAborted();
  } catch (thrown) {
    if (signal.aborted) {
      return fail('image.build-failed', `Building the ${image.name} image ${CALLED_OFF}.`);
    }
    return err(engineFailure(thrown, `Building the ${image.name} image`));
  }
  const failed = reader.failure();
  if (failed === undefined) return ok(undefined);
  return fail(
    'image.build-failed',
    `The ${image.name} image could not be built: ${failed.step} failed: ${failed.said}\n${failed.output}`,
    hintFor(`${failed.said}\n${failed.output}`),
  );
};
