import { join } from 'node:path';
import { createScope, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { createTestAuthority } from '../../e2e/upstreams/authority.ts';
import { say } from '../output.ts';
import { UPSTREAM_HOST, type Absent, type Contender, type Setting } from './contender.ts';
import { createDirect } from './direct.ts';
import { createGloveboxProcess } from './glovebox-process.ts';
import { createGloveboxSession } from './glovebox-session.ts';
import { PHASES } from './phase.ts';
import type { BrokerResult } from './report.ts';
import { createMitmproxy } from './rivals/mitmproxy.ts';
import { createSandboxRuntime } from './rivals/sandbox-runtime.ts';
import { createVarlock } from './rivals/varlock.ts';
import { runRounds, type LoadPhase } from './rounds.ts';
import { startBenchUpstream } from './upstream.ts';

const AUTHORITY = 'Bench upstream';
const SECRET = 'sk-bench-Jf83kd02LmQz71xWvT5yBn64HsRc';

/** As many as a project with a few hidden files and a vault in use have. */
const WATCHED = 50;

type Start = (setting: Setting, scope: Scope) => Promise<Contender>;

/** Who may take part, by the name that `--only` takes. */
const CONTENDERS: readonly (readonly [name: string, start: Start])[] = [
  ['direct', (setting) => Promise.resolve(createDirect(setting))],
  ['session', createGloveboxSession],
  ['process', (setting, scope) => createGloveboxProcess(setting, scope)],
  ['watching', (setting, scope) => createGloveboxProcess(setting, scope, { watched: WATCHED })],
  ['sandbox-runtime', createSandboxRuntime],
  ['varlock', createVarlock],
  ['mitmproxy', createMitmproxy],
];
export const CONTENDER_NAMES = CONTENDERS.map(([name]) => name);
export const LOAD_PHASES_BY_NAME = PHASES.filter((phase): phase is LoadPhase => phase !== 'check');

export type BrokerOptions = {
  readonly rounds: number;
  /** Names of `CONTENDER_NAMES`; the direct way always takes part. */
  readonly only: readonly string[];
  readonly phases: readonly LoadPhase[];
};

/** One upstream that all contenders share. */
export const startSetting = async (scope: Scope): Promise<Setting> => {
  const authority = await createTestAuthority(AUTHORITY);
  const files = scope.use(createTestFolder('gbx-bench-ca-'));
  files.write({ 'ca.pem': authority.certificate });
  const identity = await authority.issue([UPSTREAM_HOST, 'localhost']);
  const upstream = scope.use(await startBenchUpstream(identity, SECRET));
  return {
    upstreamPort: upstream.port,
    upstreamCa: join(files.path, 'ca.pem'),
    secret: SECRET,
  };
};

/** This broker, the direct way and the rivals that are here, interleaved over one upstream. */
export const benchBroker = async (options: BrokerOptions): Promise<BrokerResult> => {
  const scope = createScope('broker bench');
  try {
    const setting = await startSetting(scope);
    const contenders: Contender[] = [];
    const absent: Absent[] = [];
    for (const [name, start] of CONTENDERS) {
      if (name !== 'direct' && !options.only.includes(name)) continue;
      say(`broker: starting ${name}`);
      try {
        contenders.push(await start(setting, scope));
      } catch (failed) {
        const reason = failed instanceof Error ? failed.message : String(failed);
        absent.push({ name, reason });
        say(`broker: ${name}: not here (${reason})`);
      }
    }
    const runs = await runRounds(contenders, {
      rounds: options.rounds,
      phases: options.phases,
      secret: SECRET,
      upstreamIssuer: `${AUTHORITY} authority`,
    });
    return { runs, absent };
  } finally {
    await scope.close();
  }
};
