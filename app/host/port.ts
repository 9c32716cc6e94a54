import type {
  Code,
  HostStatus,
  MethodName,
  MethodOutput,
  MethodParsed,
  NetworkRequest,
  StreamItem,
  StreamName,
  StreamParsed,
  Wire,
} from '../contract/index.ts';
import type { StartBroker } from '../broker/port.ts';
import type { Failure, Result, Scope, Secret } from '../kit/index.ts';
import type { Sessions } from '../session/port.ts';
import type { Vault } from '../vault/port.ts';
import type { Workspace } from '../workspace/port.ts';

export type HostFailure = Failure<Code>;

export type Handlers = {
  readonly [M in MethodName]: (
    input: MethodParsed<M>,
  ) => Promise<Result<MethodOutput<M>, HostFailure>>;
};

/** Opens a stream: `send` for each item; returns how to stop it. */
export type StreamOpeners = {
  readonly [S in StreamName]: (
    input: StreamParsed<S>,
    sink: {
      readonly send: (item: StreamItem<S>) => void;
      readonly end: (failure?: HostFailure) => void;
    },
  ) => Promise<Result<() => void, HostFailure>>;
};

/** Everything a shell needs, with no window in it. */
export type SessionHost = {
  readonly sessions: Sessions;
  readonly vault: Vault;
  readonly workspace: Workspace;
  readonly status: () => HostStatus;
  readonly handlers: Handlers;
  readonly streams: StreamOpeners;
  /** Speaks the contract over one connection until it or the scope closes. Parses, caps, answers with coded failures. */
  readonly serve: (wire: Wire, scope: Scope) => void;
};

/** What holds for every session of this host beside what each asks for: a company's network, or a test's. */
export type NetworkSurroundings = Partial<Pick<NetworkRequest, 'resolve' | 'dns' | 'upstreamCa'>>;

export type HostOptions = {
  readonly surroundings?: NetworkSurroundings;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the status line says of the shell: `Electron 45`, `browser: Electron’s binary is missing`. */
  readonly shell: string;
  readonly askPassphrase?: (purpose: 'create' | 'open') => Promise<Secret | undefined>;
  /** Folder of sandbox-images/, where a packaged shell keeps it elsewhere than beside the sources. */
  readonly imagesFolder?: string;
  /** The image folder in there that the plain shell runs in, where it is not the base itself. */
  readonly shellImage?: string;
  /** The app's version, where package.json does not stand beside the sources. */
  readonly version?: string;
  /** How brokers are started; Electron gives one that uses a utility process. */
  readonly startBroker?: StartBroker;
};
