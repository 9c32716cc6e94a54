/** Import borders of the house. Each rule names what it protects; `npm run check` runs them. */
const rooms = ['broker', 'engine', 'workspace', 'guard', 'terminal', 'vault', 'timeline'];
const shells = ['electron', 'serve', 'cli'];

const only = (name, comment, packageName, allowedFrom) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^(app|renderer|sandbox-images)', pathNot: [allowedFrom, '\\.test\\.tsx?$'] },
  to: { path: packageName },
});

export default {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'kit-is-pure',
      severity: 'error',
      from: { path: '^app/kit', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^app/kit' },
    },
    {
      name: 'contract-imports-zod-and-kit',
      severity: 'error',
      from: { path: '^app/contract', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^(app/kit|app/contract|node_modules/zod)' },
    },
    {
      name: 'policy-is-pure',
      severity: 'error',
      from: { path: '^app/policy', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot:
          '^(app/kit|app/contract|app/policy|^app/broker/authority\\.ts|node_modules/(zod|yaml|@peculiar|reflect-metadata))',
      },
    },
    {
      name: 'rooms-meet-in-session-and-host',
      severity: 'error',
      from: { path: `^app/(${rooms.join('|')})/`, pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(app|renderer|e2e|bench|fuzz|scripts)/',
        pathNot: `^app/(kit|contract|policy|$1)/`,
      },
    },
    {
      name: 'broker-process-is-light',
      comment:
        'Every session pays for what its broker process loads: no schemas, no YAML; types are free.',
      severity: 'error',
      from: { path: '^app/(broker/process/|broker/orders\\.ts)', pathNot: '\\.test\\.ts$' },
      to: {
        path: '(^app/(contract|policy)/index\\.ts|^app/broker/protocol\\.ts|^app/broker/authority\\.ts|node_modules/(zod|yaml|@peculiar|reflect-metadata))',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'session-below-host',
      severity: 'error',
      from: { path: '^app/session/', pathNot: '\\.test\\.ts$' },
      to: { path: `^(app/(host|${shells.join('|')})|renderer|e2e)/` },
    },
    {
      name: 'host-below-shells',
      severity: 'error',
      from: { path: '^app/host/', pathNot: '\\.test\\.ts$' },
      to: { path: `^(app/(${shells.join('|')})|renderer|e2e)/` },
    },
    {
      name: 'shells-apart',
      comment: 'Only the command that starts the browser shell knows it: `glovebox serve`.',
      severity: 'error',
      from: { path: `^app/(${shells.join('|')})/`, pathNot: '(\\.test|^app/cli/serve)\\.ts$' },
      to: { path: `^app/(${shells.join('|')})/`, pathNot: '^app/$1/' },
    },
    {
      name: 'renderer-knows-contract-and-kit',
      severity: 'error',
      from: { path: '^renderer/', pathNot: '\\.test\\.tsx?$' },
      to: { path: '^(app|e2e|scripts|sandbox-images)/', pathNot: '^app/(contract|kit)/' },
    },
    only(
      'electron-in-its-shell',
      'Nothing in the services imports Electron.',
      'node_modules/electron',
      '^app/electron/',
    ),
    only(
      'dockerode-in-engine',
      'One room owns the container engine.',
      'node_modules/dockerode',
      '^app/engine/',
    ),
    only(
      'keytar-in-vault',
      'One room owns the keychain.',
      'node_modules/(keytar|@github/keytar)',
      '^app/vault/',
    ),
    only('sqlite-in-timeline', 'One room owns the store.', '^node:sqlite$', '^app/timeline/'),
    only(
      'pty-in-terminal',
      'One room owns host terminals.',
      'node_modules/node-pty',
      '^app/terminal/',
    ),
    only(
      'x509-in-broker',
      'One room owns certificates.',
      'node_modules/@peculiar/x509',
      '^app/broker/',
    ),
    only(
      'tls-in-broker',
      'Sockets and TLS belong to the broker.',
      '^(node:)?(tls|http2)$',
      // The engine reads the list of public authorities, to tell this machine's own from them.
      '^(app/broker/|app/engine/host-authorities\\.ts$)',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^dist/|\\.css$)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
