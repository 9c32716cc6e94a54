import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { createScope } from '../../app/kit/index.ts';
import { markdownTable, say } from '../output.ts';
import { createGloveboxProcess } from './glovebox-process.ts';
import type { LoadPhase } from './rounds.ts';
import { startSetting } from './section.ts';

const WRITTEN_MS = 10_000;
const TOP = 25;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const Profile = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.int() }),
      children: z.array(z.int()).optional(),
    }),
  ),
  samples: z.array(z.int()),
  timeDeltas: z.array(z.number()),
});
type Profile = z.infer<typeof Profile>;
type CallFrame = Profile['nodes'][number]['callFrame'];

const placeOf = ({ functionName, url, lineNumber }: CallFrame): string => {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.startsWith('file://') ? relative(ROOT, fileURLToPath(url)) : url;
  return `${name} ${file}:${String(lineNumber + 1)}`;
};

/** Where the process spent its time by itself: the share of all samples in which it was not idle. */
const topSelf = (profile: Profile): readonly (readonly [place: string, share: number])[] => {
  const byId = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const times = new Map<string, number>();
  let busy = 0;
  profile.samples.forEach((id, at) => {
    const frame = byId.get(id);
    const micros = profile.timeDeltas[at] ?? 0;
    // What the profiler itself costs is not the broker's.
    if (frame === undefined || frame.functionName === '(idle)') return;
    if (frame.url === 'node:inspector') return;
    busy += micros;
    const place = placeOf(frame);
    times.set(place, (times.get(place) ?? 0) + micros);
  });
  return Array.from(times, ([place, micros]) => [place, micros / busy] as const)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, TOP);
};

/** Writes a CPU profile of the broker process under each load into a folder; gives the top costs as tables. */
export const profileBroker = async (
  folder: string,
  phases: readonly LoadPhase[],
): Promise<string> => {
  const scope = createScope('broker profile');
  mkdirSync(folder, { recursive: true });
  try {
    const preload = pathToFileURL(join(import.meta.dirname, 'profile-preload.mjs')).href;
    const contender = await createGloveboxProcess(await startSetting(scope), scope, {
      extraEnv: { NODE_OPTIONS: `--import ${preload}`, BENCH_PROFILE_FOLDER: folder },
    });
    const reports: string[] = [];
    let written = 0;
    for (const phase of phases) {
      say(`profile: ${phase}`);
      await contender.run(phase);
      const [pid = 0] = await contender.roots();
      process.kill(pid, 'SIGUSR2');
      await contender.run(phase);
      process.kill(pid, 'SIGUSR2');
      written += 1;
      const file = join(folder, `${String(written)}.cpuprofile`);
      const deadline = Date.now() + WRITTEN_MS;
      while (!existsSync(file) && Date.now() < deadline) await delay(50);
      await delay(500);
      const named = join(folder, `${phase}.cpuprofile`);
      renameSync(file, named);
      const top = topSelf(Profile.parse(JSON.parse(readFileSync(named, 'utf8'))));
      reports.push(
        markdownTable([
          [`${phase}: self time of the busy broker process`, 'share'],
          ...top.map(([place, share]) => [place, `${(share * 100).toFixed(1)} %`]),
        ]),
      );
    }
    return reports.join('\n');
  } finally {
    await scope.close();
  }
};
