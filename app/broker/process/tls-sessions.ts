/** Most servers whose TLS sessions are remembered; the oldest goes first. */
export const MAX_TLS_SESSIONS = 512;

/**
 * What servers gave for a shorter handshake next time (RFC 8446 2.2). A session is kept only once
 * its connection was verified, and serves only the name and port that it was verified for.
 */
export type TlsSessions = {
  /** Gives the session and forgets it: each serves once, so that connections cannot be linked by it. */
  readonly take: (key: string) => Buffer | undefined;
  readonly keep: (key: string, session: Buffer) => void;
  readonly size: () => number;
};

export const createTlsSessions = (maxSessions: number = MAX_TLS_SESSIONS): TlsSessions => {
  const sessions = new Map<string, Buffer>();
  return {
    take: (key) => {
      const session = sessions.get(key);
      sessions.delete(key);
      return session;
    },
    keep: (key, session) => {
      sessions.delete(key);
      sessions.set(key, session);
      for (const oldest of sessions.keys()) {
        if (sessions.size <= maxSessions) break;
        sessions.delete(oldest);
      }
    },
    size: () => sessions.size,
  };
};
