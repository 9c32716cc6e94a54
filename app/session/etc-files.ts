import type { CredentialGrant, GrantFile, SandboxMount, SandboxUser } from '../policy/index.ts';

export const SANDBOX_USER_NAME = 'glovebox';
export const SANDBOX_HOME = '/home/glovebox';
/** The distribution's own bundle inside; ours is mounted over it. */
export const TRUST_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
/** The same on the host, in the session's run folder. */
export const TRUST_FILE = 'trust.pem';
/** Where Debian's Java looks, which reads neither the bundle nor a variable. */
const JAVA_TRUSTSTORE = '/etc/ssl/certs/java/cacerts';
/** The bundle in Java's own format, in the session's run folder. */
export const JAVA_TRUST_FILE = 'trust.jks';
export const SANDBOX_HOSTNAME = 'glovebox';

/**
 * The resolver that the sandbox is told of. Every address is local in its network namespace and port 53
 * is redirected to the broker, so the address is only a name for "the gateway" (TEST-NET-1, RFC 5737).
 */
export const NAMESERVER = '192.0.2.53';

/** One file that the sandbox sees read-only. */
export type EtcFile = { readonly name: string; readonly target: string; readonly text: string };

/** The few files below /etc that depend on the session: who the user is, how names resolve, whom to trust. */
export const etcFiles = (user: SandboxUser): readonly EtcFile[] => [
  {
    name: 'passwd',
    target: '/etc/passwd',
    text: [
      'root:x:0:0:root:/root:/usr/sbin/nologin',
      `${SANDBOX_USER_NAME}:x:${user.uid}:${user.gid}:Glovebox:${SANDBOX_HOME}:/bin/bash`,
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      '',
    ].join('\n'),
  },
  {
    name: 'group',
    target: '/etc/group',
    text: ['root:x:0:', `${SANDBOX_USER_NAME}:x:${user.gid}:`, 'nogroup:x:65534:', ''].join('\n'),
  },
  {
    name: 'hosts',
    target: '/etc/hosts',
    text: `127.0.0.1 localhost ${SANDBOX_HOSTNAME}\n::1 localhost ip6-localhost\n`,
  },
  {
    name: 'resolv.conf',
    target: '/etc/resolv.conf',
    text: `nameserver ${NAMESERVER}\noptions timeout:5 attempts:2\n`,
  },
  {
    name: 'gitconfig',
    target: '/etc/gitconfig',
    // No automatic repacking: it would put the project's whole history among the changes.
    text: '[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n',
  },
  // Filled in place once the broker has its authority, before anything inside can read them.
  { name: TRUST_FILE, target: TRUST_BUNDLE, text: '' },
  { name: JAVA_TRUST_FILE, target: JAVA_TRUSTSTORE, text: '' },
];

/** Folder of the granted credentials' files inside. */
export const CREDENTIAL_FOLDER = '/etc/glovebox/credentials';

/** Where a granted credential's file is found inside. */
export const credentialPath = ({ name }: Pick<GrantFile, 'name'>): string =>
  `${CREDENTIAL_FOLDER}/${name}`;

/** The files of the granted credentials: placeholders only, so whoever is inside may read them. */
export const credentialFiles = (grants: readonly CredentialGrant[]): readonly EtcFile[] =>
  grants
    .flatMap(({ files }) => files)
    .map((file) => ({
      name: `credential-${file.name}`,
      target: credentialPath(file),
      text: file.content,
    }));

export const etcMounts = (folder: string, files: readonly EtcFile[]): readonly SandboxMount[] =>
  files.map((file) => ({
    type: 'bind',
    source: `${folder}/${file.name}`,
    target: file.target,
    readOnly: true,
  }));
