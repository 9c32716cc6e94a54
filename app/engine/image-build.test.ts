import { describe, expect, it } from 'vitest';
import { createBuildReader, MAX_OUTPUT_LINES } from './image-build.ts';
import { dockerfileSteps } from './image-recipe.ts';

const image = {
  name: 'base',
  steps: dockerfileSteps('FROM x\n# step: installing packages\nRUN y\n'),
};
const line = (message: object): string => `${JSON.stringify(message)}\n`;

describe('the builder’s answer', () => {
  it('is told step by step, whatever the pieces it comes in', () => {
    const seen: [string, number][] = [];
    const reader = createBuildReader(image, (message, fraction) => seen.push([message, fraction]));
    const answer =
      line({ stream: 'Step 1/3 : FROM x' }) +
      line({ stream: ' ---> 12\n' }) +
      line({ stream: 'Step 2/3 : RUN y' }) +
      line({ stream: 'Step 3/3 : LABEL z' });
    for (const character of answer) reader.add(character);
    expect(seen).toEqual([
      ['building the base image: starting from the image below (1 of 3)', 0],
      ['building the base image: installing packages (2 of 3)', 1 / 3],
      ['building the base image: finishing (3 of 3)', 2 / 3],
    ]);
    expect(reader.failure()).toBeUndefined();
  });

  it('names the failing step with its last lines, plain', () => {
    const reader = createBuildReader(image, () => undefined);
    reader.add(line({ stream: 'Step 1/2 : FROM x' }) + line({ stream: 'not of this step\n' }));
    reader.add(line({ stream: 'Step 2/2 : RUN y' }));
    for (let index = 0; index < 40; index += 1)
      reader.add(line({ stream: `\u001b[31mline ${String(index)}\u001b[0m\u0007\n` }));
    reader.add(line({ error: 'it returned 1', errorDetail: { message: 'it returned 1' } }));
    const failed = reader.failure();
    expect(failed?.step).toBe('installing packages (step 2 of 2)');
    expect(failed?.said).toBe('it returned 1');
    expect(failed?.output.split('\n')).toHaveLength(MAX_OUTPUT_LINES);
    expect(failed?.output).toMatch(/^line 28\n[^]*line 39$/);
  });
});
