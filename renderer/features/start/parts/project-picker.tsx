import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { HostPath } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { TextField } from '../../../ui/field.tsx';
import { tidyPath } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { IconChevronLeft, IconFolder, IconFolderGit } from '../../../ui/icons.ts';
import { Empty, ProblemNotice, Waiting } from '../../../ui/notice.tsx';
import styles from './project-picker.module.css';

const base = (path: string): string => path.slice(path.lastIndexOf('/') + 1) || '/';

/** `~/x` as the user types it, in full. */
const expand = (text: string, home: string | undefined): string =>
  home !== undefined && (text === '~' || text.startsWith('~/')) ? `${home}${text.slice(1)}` : text;

/** The first step: which folder the session is about. */
export const ProjectPicker = (): ReactNode => {
  const { start } = useApp();
  const recent = useAppStore('start', (state) => state.recent);
  const listing = useAppStore('start', (state) => state.listing);
  const problem = useAppStore('start', (state) => state.listingProblem);
  const home = useAppStore('status', (state) => state.host?.homeFolder);
  const [typed, setTyped] = useState('');
  const [error, setError] = useState<string | undefined>();
  const { browse, choose } = start.getState();
  const connected = useAppStore('status', (state) => state.connection.type);
  useEffect(() => {
    if (connected === 'lost') return;
    if (start.getState().listing === undefined) void start.getState().browse(undefined);
  }, [start, connected]);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const path = expand(typed.trim(), home);
    if (!HostPath.safeParse(path).success) {
      setError('The whole path of a folder: it begins with “/” or “~”.');
      return;
    }
    void choose(path.length > 1 ? path.replace(/\/+$/, '') : path);
  };

  return (
    <div className={styles.page} data-pane="page" data-testid="project-picker">
      <div className={styles.sheet}>
        <h1 className={styles.title}>New session</h1>
        <p className={styles.sub}>
          Choose a project folder. The next page shows what a session would see of it, and what
          stays hidden; nothing starts before.
        </p>
        <form className={styles.typed} onSubmit={submit}>
          <TextField
            label="Folder"
            mono
            placeholder="/home/me/project"
            data-testid="project-path"
            data-pane-focus=""
            // oxlint-disable-next-line jsx-a11y/no-autofocus -- the page has one purpose and this is it
            autoFocus
            error={error}
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
              setError(undefined);
            }}
          />
          <Button
            type="submit"
            look="primary"
            keys="↵"
            aria-label="Open folder"
            disabled={typed.trim() === ''}
            data-testid="open-project"
          >
            Open
          </Button>
        </form>
        <div className={styles.two}>
          <section aria-labelledby="recent-title">
            <h2 id="recent-title" className={styles.heading}>
              Recent
            </h2>
            {recent === undefined && <Waiting>Asking the host</Waiting>}
            {recent?.length === 0 && (
              <p className={styles.none}>No project has had a session yet.</p>
            )}
            {recent !== undefined && recent.length > 0 && (
              <ul className={styles.list}>
                {recent.map((path) => (
                  <li key={path}>
                    <button
                      type="button"
                      className={styles.entry}
                      data-testid="recent-project"
                      data-path={path}
                      onClick={() => void choose(path)}
                    >
                      <IconFolderGit size={15} aria-hidden="true" />
                      <span className={styles.name}>
                        <HostileText>{base(path)}</HostileText>
                        <small className="mono">
                          <HostileText>{tidyPath(path, home)}</HostileText>
                        </small>
                      </span>
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section aria-labelledby="browse-title">
            <h2 id="browse-title" className={styles.heading}>
              Browse
            </h2>
            {problem !== undefined && (
              <div className={styles.problem}>
                <ProblemNotice tried="The folder could not be read" problem={problem} />
              </div>
            )}
            {listing === undefined && problem === undefined && <Waiting>Reading folders</Waiting>}
            {listing !== undefined && (
              <div className={styles.browser}>
                <div className={styles.where}>
                  <IconButton
                    label="One folder up"
                    disabled={listing.parent === undefined}
                    onClick={() => void browse(listing.parent)}
                  >
                    <IconChevronLeft size={15} />
                  </IconButton>
                  <span className={`mono ${styles.path}`}>
                    <HostileText>{tidyPath(listing.path, home)}</HostileText>
                  </span>
                  <Button
                    size="s"
                    data-testid="open-this-folder"
                    onClick={() => void choose(listing.path)}
                  >
                    Open this folder
                  </Button>
                </div>
                <ul className={styles.folders}>
                  {listing.folders.map((folder) => (
                    <li key={folder.path} className={styles.folder}>
                      <button
                        type="button"
                        className={styles.entry}
                        data-testid="folder"
                        data-path={folder.path}
                        onClick={() => void browse(folder.path)}
                      >
                        {folder.git ? (
                          <IconFolderGit size={15} className={styles.git} aria-hidden="true" />
                        ) : (
                          <IconFolder size={15} aria-hidden="true" />
                        )}
                        <span className={styles.name}>
                          <HostileText>{folder.name}</HostileText>
                        </span>
                        {folder.git && <span className={styles.tag}>git</span>}
                      </button>
                      <Button
                        size="s"
                        look="ghost"
                        aria-label={`Open ${folder.name}`}
                        onClick={() => void choose(folder.path)}
                      >
                        Open
                      </Button>
                    </li>
                  ))}
                </ul>
                {listing.folders.length === 0 && <Empty title="No folders in here" />}
              </div>
            )}
          </section>
        </div>
      </div>
    </div>
  );
};
