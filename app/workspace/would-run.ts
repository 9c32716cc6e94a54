/** What accepting a file could run on the host, by its place. First match wins. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/(?:^|\/)\.(?:husky|githooks|git-hooks)\//, 'runs as a git hook'],
  [
    /(?:^|\/)(?:\.pre-commit-config\.ya?ml|lefthook\.ya?ml|\.lefthook\.ya?ml)$/,
    'runs as a git hook',
  ],
  [/(?:^|\/)\.gitattributes$/, 'can make git run filters'],
  [/(?:^|\/)\.gitmodules$/, 'tells git where to fetch submodules from'],
  [/(?:^|\/)\.envrc$/, 'direnv runs it when you enter the folder'],
  [
    /(?:^|\/)\.(?:mise|tool-versions|nvmrc)(?:\.toml)?$|(?:^|\/)mise\.toml$/,
    'your tool manager reads it when you enter the folder',
  ],
  [
    /(?:^|\/)\.vscode\/(?:tasks|launch|settings|extensions|mcp)\.json$/,
    'VS Code runs or obeys it when you open the folder',
  ],
  [/(?:^|\/)[^/]+\.code-workspace$/, 'VS Code obeys it when you open it'],
  [/(?:^|\/)\.idea\//, 'JetBrains tools obey it when you open the folder'],
  [/(?:^|\/)\.zed\//, 'Zed obeys it when you open the folder'],
  [/(?:^|\/)\.devcontainer(?:\/|\.json$)/, 'runs when you open the dev container'],
  [
    /(?:^|\/)(?:\.mcp\.json|\.claude\/|\.cursor\/|\.codex\/|\.gemini\/|\.opencode\/|opencode\.jsonc?$)/,
    'an assistant on your machine obeys it',
  ],
  [
    /(?:^|\/)(?:claude|agents|gemini)\.md$|(?:^|\/)\.cursorrules$/,
    'an assistant on your machine obeys it',
  ],
  [/(?:^|\/)\.github\/(?:workflows|actions)\//, 'runs in CI'],
  [
    /(?:^|\/)(?:\.gitlab-ci\.yml|\.circleci\/|\.travis\.yml|azure-pipelines\.yml|jenkinsfile$|\.drone\.yml|\.buildkite\/)/,
    'runs in CI',
  ],
  [/(?:^|\/)package\.json$/, 'npm runs its scripts'],
  [
    /(?:^|\/)(?:\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.c?js|\.yarn\/)/,
    'your package manager obeys it',
  ],
  [/(?:^|\/)node_modules\//, 'runs when your tools load it'],
  [
    /(?:^|\/)(?:gnu)?makefile$|\.mk$|(?:^|\/)\.?justfile$|(?:^|\/)taskfile\.ya?ml$|(?:^|\/)rakefile$|(?:^|\/)cmakelists\.txt$/,
    'runs when you build',
  ],
  [
    /(?:^|\/)(?:build|settings)\.gradle(?:\.kts)?$|(?:^|\/)gradlew(?:\.bat)?$|(?:^|\/)mvnw$|(?:^|\/)pom\.xml$|(?:^|\/)build\.rs$|(?:^|\/)\.cargo\/config(?:\.toml)?$/,
    'runs when you build',
  ],
  [
    /(?:^|\/)(?:setup\.py|setup\.cfg|pyproject\.toml|conftest\.py|noxfile\.py|tox\.ini|sitecustomize\.py|[^/]+\.pth)$/,
    'runs when your Python tools run',
  ],
  [
    /(?:^|\/)(?:dockerfile(?:\.[^/]+)?|containerfile|(?:docker-)?compose(?:\.[^/]+)?\.ya?ml|vagrantfile|procfile)$/,
    'runs when you build or start containers',
  ],
  [
    /(?:^|\/)(?:\.eslintrc(?:\.c?js)?|[^/]+\.config\.[cm]?[jt]s|babel\.config\.[^/]+|\.babelrc(?:\.js)?|gulpfile\.[^/]+|gruntfile\.[^/]+)$/,
    'runs when your tools run',
  ],
  [
    /(?:^|\/)\.(?:bashrc|bash_profile|profile|zshrc|zshenv|vimrc|exrc|nvim\.lua|gdbinit|lldbinit|inputrc)$/,
    'a tool on your machine runs it',
  ],
  [/\.(?:desktop|service|command|app|bat|cmd|ps1|reg|lnk|scpt|workflow)$/, 'runs when you open it'],
];

/** Why accepting this file could run something on the host; undefined where nothing says so. */
export const wouldRun = (path: string, becomesExecutable: boolean): string | undefined => {
  const lower = path.toLowerCase();
  const place = PLACES.find(([pattern]) => pattern.test(lower));
  if (place !== undefined) return place[1];
  return becomesExecutable ? 'it is executable' : undefined;
};
