import type { ReactNode } from 'react';
import { CODES, type TimelineEvent } from '../../../../app/contract/index.ts';
import { assertNever } from '../../../../app/kit/index.ts';
import { formatBytes, formatDuration, formatInstant, plural } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { Instant } from '../../../ui/instant.tsx';
import { ANSWER_WORDS, hostAndPort, PROTOCOL_WORDS } from '../words.ts';
import styles from './details.module.css';

type Fact = readonly [name: string, value: string | undefined];

const factsOf = (event: TimelineEvent): readonly Fact[] => {
  const number = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : String(value);
  const common: readonly Fact[] = [['Number', String(event.seq)]];
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

/** What one event says, by name. */
export const Facts = ({ event }: { readonly event: TimelineEvent }): ReactNode => (
  <dl className={styles.facts}>
    <div>
      <dt>Time</dt>
      <dd>
        <Instant at={event.at}>{formatInstant(event.at)}</Instant>
      </dd>
    </div>
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
);
