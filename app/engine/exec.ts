import { PassThrough, Writable, type Duplex, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { err, ok, sleep, type Clock, type Result } from '../kit/index.ts';
import { engineFailure, isLost, statusOf } from './failure.ts';
import type { EngineFailure, Exec, ExecSpec } from './port.ts';

/** Exit status where the command died with its container. */
export const KILLED_EXIT = 137;
/** Exit status where the engine can no longer be asked. */
export const LOST_EXIT = -1;
const EXIT_POLL_MS = 20;
const EXIT_WAIT_MS = 5000;
const HEADER_BYTES = 8;

const asError = (failure: unknown): Error =>
  failure instanceof Error ? failure : new Error(String(failure));

/** Writes, and waits while the reader is behind; a closed reader swallows. */
const pass = (into: Writable, data: Buffer): Promise<void> =>
  new Promise((resolve) => {
    if (into.destroyed || into.write(data)) {
      resolve();
      return;
    }
    const done = (): void => {
      into.off('drain', done).off('close', done);
      resolve();
    };
    into.once('drain', done).once('close', done);
  });

/**
 * Takes the engine's frames apart (Engine API, ContainerAttach: kind, three zeros, length as 32 bits, data)
 * and waits for a slow reader instead of buffering.
 */
export const createDemultiplexer = (stdout: Writable, stderr: Writable): Writable => {
  let header = Buffer.alloc(0);
  let left = 0;
  let target = stdout;
  const take = async (chunk: Buffer): Promise<void> => {
    let rest = chunk;
    while (rest.length > 0) {
      if (left === 0) {
        const missing = HEADER_BYTES - header.length;
        header = Buffer.concat([header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (header.length < HEADER_BYTES) return;
        target = header[0] === 2 ? stderr : stdout;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      left -= part.length;
      await pass(target, part);
    }
  };
  const forward = async (chunk: Buffer, done: (failure?: Error) => void): Promise<void> => {
    let failed: Error | undefined;
    try {
      await take(chunk);
    } catch (failure) {
      failed = asError(failure);
    }
    done(failed);
  };
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      void forward(chunk, done);
    },
    final: (done) => {
      stdout.end();
      stderr.end();
      done();
    },
  });
};

/** An error on a stream also closes it, and the exit status tells the rest: nobody needs the error itself. */
const quiet = <T extends Readable | Writable>(stream: T): T => {
  stream.on('error', () => undefined);
  return stream;
};

const ended = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    if (stream.readableEnded || stream.destroyed) {
      resolve();
      return;
    }
    stream.once('end', resolve).once('close', resolve);
  });

const exitStatus = async (exec: Docker.Exec, clock: Clock): Promise<number> => {
  const deadline = clock.monotonic() + EXIT_WAIT_MS;
  try {
    for (;;) {
      const state = await exec.inspect();
      if (!state.Running && state.ExitCode !== null) return state.ExitCode;
      // The stream is over a moment before the engine has noted the status.
      if (clock.monotonic() > deadline) return KILLED_EXIT;
      await sleep(clock, EXIT_POLL_MS);
    }
  } catch (thrown) {
    return isLost(thrown) || statusOf(thrown) === undefined ? LOST_EXIT : KILLED_EXIT;
  }
};

const separateStreams = (stream: Duplex): Extract<Exec['io'], { tty: false }> => {
  const stdout = quiet(new PassThrough());
  const stderr = quiet(new PassThrough());
  const demultiplexer = quiet(createDemultiplexer(stdout, stderr));
  stream.pipe(demultiplexer);
  stream.once('close', () => demultiplexer.end());
  const stdin = quiet(
    new Writable({
      write: (chunk: Buffer, encoding, done) => {
        if (stream.destroyed || stream.writableEnded) done();
        else stream.write(chunk, encoding, () => done());
      },
      final: (done) => {
        // Half of the connection closes: the command sees the end of its input, its output goes on.
        stream.end();
        done();
      },
    }),
  );
  stream.once('close', () => stdin.destroy());
  return { tty: false, stdin, stdout, stderr };
};

/** Starts a command in a running container. */
export const startExec = async (
  docker: Docker,
  container: string,
  spec: ExecSpec,
  clock: Clock,
): Promise<Result<Exec, EngineFailure>> => {
  try {
    const exec = await docker.getContainer(container).exec({
      Cmd: [...spec.command],
      Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      WorkingDir: spec.workingFolder,
      User: `${String(spec.user.uid)}:${String(spec.user.gid)}`,
      Privileged: false,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: spec.tty,
      ...(spec.tty ? { ConsoleSize: [spec.size.rows, spec.size.columns] } : {}),
    });
    const stream = quiet(await exec.start({ hijack: true, stdin: true, Tty: spec.tty }));
    const resize: Exec['resize'] = async ({ columns, rows }) => {
      try {
        await exec.resize({ h: rows, w: columns });
      } catch {
        // Ended, or not yet begun on the engine's side: the next resize counts.
      }
    };
    const io: Exec['io'] = spec.tty ? { tty: true, stream } : separateStreams(stream);
    const exit = ended(stream).then(() => exitStatus(exec, clock));
    if (spec.tty) await resize(spec.size);
    return ok({ io, resize, exit });
  } catch (thrown) {
    return err(engineFailure(thrown, `Starting ${spec.command[0]} in the sandbox`));
  }
};
