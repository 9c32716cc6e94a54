import { ASSISTANTS, AssistantName } from '../contract/index.ts';
import { findEngine } from '../engine/index.ts';
import { createScope } from '../kit/index.ts';
import { createConsole, printable, sayFailure, type Surroundings } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { imagesFolder } from './places.ts';
import { endBy, onStopSignal } from './stop-signals.ts';

/** `glovebox images build [ASSISTANT...]`: builds what is missing, all of them where none is named. */
export const buildImages = async (
  around: Surroundings,
  names: readonly string[],
): Promise<number> => {
  const console = createConsole(around);
  const wanted: AssistantName[] = [];
  for (const name of names.length === 0 ? ASSISTANTS : names) {
    const parsed = AssistantName.safeParse(name);
    if (!parsed.success) {
      console.say(`glovebox: There is no assistant ${printable(name)}: ${ASSISTANTS.join(', ')}.`);
      return EXIT.notFound;
    }
    wanted.push(parsed.data);
  }
  const scope = createScope('images');
  const cancel = new AbortController();
  onStopSignal(() => cancel.abort(new Error('interrupted')), endBy(), scope);
  try {
    // Images carry no installation's label: every home on this machine shares them.
    const engine = await findEngine({ installId: 'images', env: around.env, imagesFolder }, scope);
    if (!engine.ok) {
      sayFailure(console, engine.error);
      return exitCodeOf(engine.error);
    }
    let status: number = EXIT.done;
    for (const name of wanted) {
      if (cancel.signal.aborted) return EXIT.failed;
      let told = '';
      const built = await engine.value.ensureImages(
        name,
        ({ message }) => {
          if (message !== told) console.say(`  ${name}: ${printable(message)}`);
          told = message;
        },
        cancel.signal,
      );
      if (built.ok) console.say(`${name}: ready`);
      else {
        sayFailure(console, built.error);
        status = exitCodeOf(built.error);
      }
    }
    return status;
  } finally {
    await scope.close();
  }
};
