import { useMemo, type ReactNode } from 'react';
import { useStore } from 'zustand';
import { CODES, type TimelineEvent } from '../../../../app/contract/index.ts';
import { assertNever } from '../../../../app/kit/index.ts';
import { useApp } from '../../../shell/app.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { formatBytes, formatDuration, plural } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconClose, IconCopy } from '../../../ui/icons.ts';
import type { TimelineStore } from '../store.ts';
import {
  ANSWER_WORDS,
  commandWords,
  hostAndPort,
  projectPath,
  PROTOCOL_WORDS,
  rowWords,
} from '../words.ts';
import styles from './details.module.css';

/** Most members of a folded row that are listed. */
const MAX_MEMBERS = 100;

type Fact = readonly [name: string, value: string | undefined];

const factsOf = (event: TimelineEvent): readonly Fact[] => {
  const number = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : String(value);
  const common: readonly Fact[] = [
    ['Time', event.at],
    ['Number', String(event.seq)],
  ];
  switch (event.kind) {
    case 'egress':
      return [
        ...common,
        [
          'Verdict',
          event.verdict === 'allowed' && event.code !== undefined
            ? 'allowed, but it failed'
            : event.verdict,
        ],
        ['Code', event.code],
        ['Why', event.detail ?? (event.code === undefined ? undefined : CODES[event.code])],
        ['Rule', event.rule],
        [
          event.method === undefined ? 'Connection' : 'Request',
          `${event.method ?? ''} ${event.scheme}://${event.host}:${event.port}${event.path ?? ''}`.trim(),
        ],
        [
          'Protocol',
          `${PROTOCOL_WORDS[event.protocol]}${event.inspected ? ', inspected' : ', not inspected'}`,
        ],
        ['Address', event.address],
        ['Status', number(event.status)],
        ['Sent', formatBytes(event.bytesOut)],
        ['Received', formatBytes(event.bytesIn)],
        ['Took', formatDuration(event.durationMs)],
        ['Credential', event.credential],
        [
          'Secrets replaced',
          event.scrubbed === undefined ? undefined : `${event.scrubbed} in the answer`,
        ],
        ['Approval', event.asked],
        ['First seen', event.firstSeen === true ? 'now, on this machine' : undefined],
      ];
    case 'dns':
      return [
        ...common,
        ['Verdict', event.verdict],
        ['Code', event.code],
        ['Why', event.code === undefined ? undefined : CODES[event.code]],
        ['Rule', event.rule],
        ['Name', event.name],
        ['Type', event.type],
        ['Times', number(event.count)],
      ];
    case 'touch':
      return [
        ...common,
        ['Touch', event.op],
        ['Verdict', event.verdict],
        ['Code', event.code],
        ['Why', event.code === undefined ? undefined : CODES[event.code]],
        ['Rule', event.rule],
        ['Path', event.path],
        ['New path', event.to],
        ['Times', number(event.count)],
      ];
    case 'credential':
      return [
        ...common,
        ['Credential', event.credential],
        ['What', event.op],
        [
          event.host === 'dns' ? 'Where' : 'Host',
          event.host === 'dns' ? 'in a DNS lookup' : event.host,
        ],
        ['Code', event.code],
        ['Why', event.code === undefined ? undefined : CODES[event.code]],
      ];
    case 'approval':
      return [
        ...common,
        ['Question', event.question],
        ['Answer', ANSWER_WORDS[event.answer]],
        ['Host', hostAndPort(event.host, event.port)],
        ['Counts for', event.scope === 'session' ? 'this session' : event.scope],
        [
          'Request',
          event.path === undefined ? undefined : `${event.method ?? ''} ${event.path}`.trim(),
        ],
        ['Branches', event.refs?.join(', ')],
        ['Credential', event.credential],
        ['Waited', formatDuration(event.durationMs)],
        ['Approval', event.id],
      ];
    case 'process':
      return [
        ...common,
        ['Program', event.command.join(' ')],
        ['What', event.op],
        ['Exit status', number(event.exitCode)],
        ['Took', event.durationMs === undefined ? undefined : formatDuration(event.durationMs)],
      ];
    case 'session':
      return [
        ...common,
        ['What', event.op],
        ['Message', event.message],
        ['Code', event.code],
        ['Why', event.code === undefined ? undefined : CODES[event.code]],
      ];
    case 'policy':
      return [...common, ...event.rules.map((rule, index): Fact => [`Rule ${index + 1}`, rule])];
    case 'gap':
      return [
        ...common,
        ['Source', event.source],
        ['Lost', event.lost === 0 ? 'an unknown number' : plural(event.lost, 'event')],
        ['Message', event.message],
      ];
    default:
      return assertNever(event, 'the facts of an event');
  }
};

const membersOf = (events: readonly TimelineEvent[], project: string): readonly string[] => {
  const names = new Set<string>();
  for (const event of events) {
    if (event.kind === 'touch') names.add(projectPath(event.path, project));
    if (event.kind === 'egress') names.add(event.at);
  }
  return Array.from(names);
};

/** All that is known of the chosen row. */
export const Details = ({
  store,
  project,
}: {
  readonly store: TimelineStore;
  readonly project: string;
}): ReactNode => {
  const { toasts } = useApp();
  const selected = useStore(store, (state) => state.selected);
  const rows = useStore(store, (state) => state.rows);
  const filter = useStore(store, (state) => state.filter);
  const { select, setText } = store.getState();
  const row = useMemo(
    () => (selected === undefined ? undefined : rows.find(({ key }) => key === selected)),
    [rows, selected],
  );
  if (row === undefined) return null;
  const { event } = row;
  const words = rowWords(row, project);
  const members = row.events.length > 1 ? membersOf(row.events, project) : [];
  const program = event.program;
  const copy = (): void => {
    void navigator.clipboard.writeText(JSON.stringify(event, null, 2));
    toasts.getState().tell('The event is copied');
  };
  const narrow = (word: string): void => {
    setText(`${word.replaceAll(/\s/g, '')} ${filter.text}`);
  };
  const host =
    event.kind === 'egress' || event.kind === 'approval'
      ? event.host
      : event.kind === 'dns'
        ? event.name
        : undefined;
  const programName =
    program === undefined ? undefined : commandWords(program.command).split(' ')[0];

  return (
    <section className={styles.drawer} aria-label="Details" data-testid="timeline-details">
      <header className={styles.head}>
        <h2 className={styles.title} title={escapeHostile(words.what)}>
          <HostileText>{words.what}</HostileText>
        </h2>
        <IconButton label="Copy as JSON" data-testid="copy-event" onClick={copy}>
          <IconCopy size={14} />
        </IconButton>
        <IconButton
          label="Close details"
          keys="Esc"
          onClick={() => {
            select(undefined);
          }}
        >
          <IconClose size={14} />
        </IconButton>
      </header>
      <div className={styles.body}>
        <dl className={styles.facts}>
          {factsOf(event)
            .filter((fact): fact is readonly [string, string] => fact[1] !== undefined)
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <HostileText>{value}</HostileText>
                </dd>
              </div>
            ))}
        </dl>
        {program !== undefined && (
          <>
            <h3 className={styles.heading}>Program</h3>
            <ol className={styles.chain}>
              {[...(program.ancestors ?? [])].toReversed().map((argv, index) => (
                <li key={`${index} ${argv.join(' ')}`}>
                  <HostileText>{argv.join(' ')}</HostileText>
                </li>
              ))}
              <li className={styles.self} aria-current="true">
                <HostileText>{program.command.join(' ')}</HostileText>
                <small>pid {program.pid}</small>
              </li>
            </ol>
          </>
        )}
        {members.length > 0 && (
          <>
            <h3 className={styles.heading}>
              {event.kind === 'touch'
                ? plural(members.length, 'file')
                : plural(members.length, 'time')}
            </h3>
            <ul className={styles.members}>
              {members.slice(0, MAX_MEMBERS).map((name) => (
                <li key={name}>
                  <HostileText>{name}</HostileText>
                </li>
              ))}
              {members.length > MAX_MEMBERS && <li>and {members.length - MAX_MEMBERS} more</li>}
            </ul>
          </>
        )}
        <div className={styles.actions}>
          {host !== undefined && (
            <Button
              size="s"
              onClick={() => {
                narrow(`host:${host}`);
              }}
            >
              Only this host
            </Button>
          )}
          {programName !== undefined && programName !== '' && (
            <Button
              size="s"
              onClick={() => {
                narrow(`prog:${programName}`);
              }}
            >
              Only this program
            </Button>
          )}
        </div>
      </div>
    </section>
  );
};
