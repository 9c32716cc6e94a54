import { useEffect, useRef, type ReactNode } from 'react';
import type { AssistantInfo } from '../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../shell/app.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { Button } from '../../ui/button.tsx';
import { plural, tidyPath } from '../../ui/format.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { ProblemNotice, Waiting } from '../../ui/notice.tsx';
import { AssistantCards } from './parts/assistant-cards.tsx';
import { CredentialList } from './parts/credential-list.tsx';
import { HiddenList } from './parts/hidden-list.tsx';
import { LimitsForm } from './parts/limits-form.tsx';
import { MountList } from './parts/mount-list.tsx';
import { NetworkForm } from './parts/network-form.tsx';
import { ProjectPicker } from './parts/project-picker.tsx';
import { WorkingCopy } from './parts/working-copy.tsx';
import { startBlocks } from './draft.ts';
import { inspectionOf } from './store.ts';
import styles from './view.module.css';

const START_WORDS: Readonly<Record<AssistantInfo['image'], string>> = {
  ready: 'Ready in about a second',
  'builds-once':
    'Builds its image first, once, which takes minutes; later starts take about a second',
  unknown: '',
};

/** Everything on the table before a session starts. */
export const StartPage = (): ReactNode => {
  const { start, sessions, navigation, credentials } = useApp();
  const project = useAppStore('start', (state) => state.project);
  const draft = useAppStore('start', (state) => state.draft);
  const assistants = useAppStore('start', (state) => state.assistants);
  const starting = useAppStore('start', (state) => state.starting);
  const problem = useAppStore('start', (state) => state.problem);
  const assistant = assistants?.find((one) => one.name === draft.assistant);
  const list = useAppStore('credentials', (state) => state.list);
  const host = useAppStore('status', (state) => state.host);
  const keys = useKeys('session.start');
  const startButton = useRef<HTMLButtonElement>(null);
  const vaultState = host?.vault.state;
  const engineState = host?.engine.state;
  const connected = useAppStore('status', (state) => state.connection.type);

  useEffect(() => {
    // Asked again when the engine comes or goes, because that decides which images are known.
    if (connected !== 'lost' && engineState !== 'checking') void start.getState().load();
  }, [start, engineState, connected]);
  useEffect(() => {
    if (connected !== 'lost' && vaultState !== undefined) void credentials.getState().load();
  }, [credentials, vaultState, connected]);
  useEffect(() => {
    start.getState().suggest(assistant, list);
  }, [start, list, assistant]);

  const inspection = inspectionOf(project);
  const blocks = startBlocks(draft, inspection, list ?? [], host);
  const ready = project.type === 'ready' && blocks.length === 0 && !starting;
  const run = async (): Promise<void> => {
    const session = await start.getState().start(list ?? [], host);
    if (session === undefined) return;
    sessions.getState().put(session);
    navigation.getState().go({ type: 'session', id: session.id, pane: 'work' });
  };
  useAction('session.start', () => void run(), ready);
  // Once everything is on the table, Enter starts it.
  useEffect(() => {
    if (project.type === 'ready') startButton.current?.focus({ preventScroll: true });
  }, [project.type]);

  if (project.type === 'none') return <ProjectPicker />;
  const home = host?.homeFolder;
  const name = inspection?.name ?? project.path.slice(project.path.lastIndexOf('/') + 1);
  const git = inspection?.git;
  return (
    <div className={styles.page} data-pane="page" data-testid="start-page">
      <div className={styles.scroll}>
        <div className={styles.sheet}>
          <header className={styles.head}>
            <div className={styles.headWords}>
              <h1 className={styles.title}>
                New session in <HostileText>{name}</HostileText>
              </h1>
              <p className={styles.sub}>
                <span className="mono">
                  <HostileText>{tidyPath(project.path, home)}</HostileText>
                </span>
                {git !== undefined && (
                  <>
                    {' · git'}
                    {git.branch !== undefined && (
                      <>
                        , branch <HostileText>{git.branch}</HostileText>
                      </>
                    )}
                    {git.uncommitted !== undefined &&
                      git.uncommitted > 0 &&
                      `, ${plural(git.uncommitted, 'uncommitted file')}`}
                  </>
                )}
              </p>
            </div>
            <Button
              look="ghost"
              data-testid="other-folder"
              onClick={() => {
                start.getState().leave();
              }}
            >
              Another folder
            </Button>
          </header>
          {project.type === 'reading' && (
            <Waiting>Reading the folder and looking for secrets that should stay hidden</Waiting>
          )}
          {project.type === 'failed' && (
            <ProblemNotice
              tried="This folder cannot be opened"
              problem={project.problem}
              action={
                <Button
                  onClick={() => {
                    void start.getState().choose(project.path);
                  }}
                >
                  Try again
                </Button>
              }
            />
          )}
          {inspection !== undefined && (
            <>
              {inspection.warnings.map((warning) => (
                <div key={`${warning.code} ${warning.message}`} className={styles.warning}>
                  <ProblemNotice problem={warning} look="ask" />
                </div>
              ))}
              <AssistantCards />
              <div className={styles.two}>
                <div>
                  <WorkingCopy inspection={inspection} />
                  <MountList inspection={inspection} />
                  <HiddenList inspection={inspection} />
                </div>
                <div>
                  <CredentialList />
                  <NetworkForm assistant={assistant} />
                  <LimitsForm />
                </div>
              </div>
            </>
          )}
        </div>
      </div>
      {inspection !== undefined && (
        <footer className={styles.bar}>
          <div className={styles.barInner}>
            <Button
              ref={startButton}
              look="primary"
              keys="↵"
              aria-keyshortcuts={`Enter ${keys['aria-keyshortcuts']}`}
              aria-label="Start session"
              title={`From anywhere: ${keys.keys}`}
              busy={starting}
              disabled={!ready}
              data-testid="start-session"
              onClick={() => void run()}
            >
              Start session
            </Button>
            <label className={styles.name}>
              <span className="visually-hidden">What it is for</span>
              <input
                placeholder="What it is for, if you like"
                maxLength={120}
                spellCheck={false}
                autoComplete="off"
                data-testid="session-title"
                value={draft.title}
                onChange={(event) => {
                  start.getState().edit({ title: event.target.value });
                }}
                onKeyDown={(event) => {
                  if (event.key === 'Enter' && ready) void run();
                }}
              />
            </label>
            {problem === undefined ? (
              <span
                className={blocks.length > 0 ? styles.block : styles.ready}
                role="status"
                data-testid="start-state"
              >
                {blocks[0] ?? (assistant === undefined ? '' : START_WORDS[assistant.image])}
              </span>
            ) : (
              <span className={styles.failed} role="alert" data-testid="start-problem">
                <HostileText>{`${problem.message} ${problem.hint ?? ''}`}</HostileText>{' '}
                <code>{problem.code}</code>
              </span>
            )}
          </div>
        </footer>
      )}
    </div>
  );
};
