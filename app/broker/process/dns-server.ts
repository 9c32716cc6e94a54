import type { Code, Program } from '../../contract/index.ts';
import { isoTime, type Clock } from '../../kit/index.ts';
import { isAddress, judgeDestination, parseHost } from '../../policy/enforce.ts';
import type { CanonicalHost, NamedRule, NetworkPolicy } from '../../policy/index.ts';
import type { Finding } from './credential-book.ts';
import type { BrokerDraft } from '../protocol.ts';
import { answerDns, errorAnswer, RCODE, readDnsQuery, type DnsQuery } from './dns-message.ts';
import { ZONE_TTL_SECONDS, type DnsZone } from './dns-zone.ts';
import { PROXY_ADDRESS, PROXY_NAME } from './wires/proxy-place.ts';

/** Equal questions within this time become one further record with a count, in milliseconds. */
export const DNS_FOLD_MS = 5000;
/** Most different questions that are folded at once; past it all counts are written. */
export const MAX_FOLDED_QUESTIONS = 1024;

/** Finds the program behind a question. */
type Whose = () => Promise<Program | undefined>;

const nobody: Whose = () => Promise.resolve(undefined);

type Verdict = {
  readonly verdict: 'allowed' | 'denied';
  readonly code?: Code;
  readonly rule?: string;
};

/** Whether the name has any rule that could let it through: a question names no port. */
export const judgeName = (policy: NetworkPolicy, host: CanonicalHost): Verdict => {
  const anyPort = (rules: readonly NamedRule[]): readonly NamedRule[] =>
    rules.map((named) => ({ ...named, rule: { ...named.rule, port: undefined } }));
  const portless = {
    ...policy,
    allow: anyPort(policy.allow),
    passThrough: anyPort(policy.passThrough),
    deny: policy.deny.filter(({ rule }) => rule.port === undefined),
  };
  const verdict = judgeDestination(portless, host, 443);
  // An answer inside leaks nothing: the question is put when something wants to go there.
  return verdict.verdict === 'ask' ? { ...verdict, verdict: 'allowed' } : verdict;
};

export type DnsServerDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly zone: DnsZone;
  readonly record: (draft: BrokerDraft) => void;
  /** The first thing in a name that may not leave, were it resolved. */
  readonly nameTrip: (name: string) => Finding | undefined;
  /** Says that a placeholder was caught. */
  readonly onTrip: (finding: Finding, program: Promise<Program | undefined>) => void;
};

/** A name with a secret in it as it may be recorded: where it would have gone, if all of the secret stands before that. */
const withheld = (name: string, holdsOne: (part: string) => boolean): string => {
  const labels = name.split('.');
  const end = labels.slice(-2).join('.');
  return holdsOne(labels.slice(0, -2).join('.')) && !holdsOne(end) ? `withheld.${end}` : 'withheld';
};

/** Answers every question from the zone; nothing of a question ever leaves this process. */
export type DnsServer = {
  /** The answer in wire format, or undefined where none can be given; `whose` is asked for what is recorded anew. */
  readonly answer: (query: Buffer, whose?: Whose) => Buffer | undefined;
  /** Writes the counts that are still waiting. */
  readonly flush: () => void;
};

export const createDnsServer = ({
  clock,
  policy,
  zone,
  record,
  nameTrip,
  onTrip,
}: DnsServerDeps): DnsServer => {
  type Folded = { readonly draft: BrokerDraft & { kind: 'dns' }; count: number };
  const folded = new Map<string, Folded>();
  let sweeping = false;

  const flush = (): void => {
    for (const { draft, count } of folded.values()) {
      if (count > 0) record({ ...draft, at: isoTime(clock.now()), count });
    }
    folded.clear();
  };
  const note = (name: string, type: string, verdict: Verdict, whose: Whose): void => {
    const key = `${type} ${name}`;
    const known = folded.get(key);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    if (folded.size >= MAX_FOLDED_QUESTIONS) flush();
    const draft = { kind: 'dns', at: isoTime(clock.now()), name, type, ...verdict } as const;
    folded.set(key, { draft, count: 0 });
    void (async () => {
      const found = await whose();
      record(found === undefined ? draft : { ...draft, program: found });
    })();
    if (sweeping) return;
    sweeping = true;
    clock.after(DNS_FOLD_MS, () => {
      sweeping = false;
      flush();
    });
  };

  const reply = (query: DnsQuery, whose: Whose): Buffer => {
    const { name, type } = query;
    // Before all else: a question that is refused for itself is on the record by its name, too.
    const finding = nameTrip(name);
    if (finding !== undefined) {
      const code = finding.type === 'watched' ? finding.owner.code : 'grant.wrong-place';
      onTrip(finding, whose());
      const shown = withheld(name, (part) => nameTrip(part) !== undefined);
      note(shown, type, { verdict: 'denied', code }, whose);
      return answerDns(query, RCODE.refused);
    }
    if (!query.internet || !['A', 'AAAA', 'HTTPS', 'SVCB'].includes(type)) {
      note(name, type, { verdict: 'denied', code: 'dns.refused' }, whose);
      return answerDns(query, RCODE.refused);
    }
    const host = parseHost(name);
    // A name that reads as an address is no name; one that no URL could hold is reached by nothing.
    if (!host.ok || isAddress(host.value)) {
      note(name, type, { verdict: 'denied', code: 'egress.bad-host' }, whose);
      return answerDns(query, RCODE.nxDomain);
    }
    if (host.value === PROXY_NAME) {
      note(host.value, type, { verdict: 'allowed', rule: 'the session’s own proxy' }, whose);
      if (type !== 'A') return answerDns(query, RCODE.noError);
      const at = { address: PROXY_ADDRESS, ttlSeconds: ZONE_TTL_SECONDS };
      return answerDns(query, RCODE.noError, at);
    }
    note(host.value, type, judgeName(policy, host.value), whose);
    if (type !== 'A') return answerDns(query, RCODE.noError);
    const address = zone.addressOf(host.value);
    return address === undefined
      ? answerDns(query, RCODE.servFail)
      : answerDns(query, RCODE.noError, { address, ttlSeconds: ZONE_TTL_SECONDS });
  };

  return {
    answer: (bytes, whose = nobody) => {
      const reading = readDnsQuery(bytes);
      if (reading.type === 'query') return reply(reading.query, whose);
      return reading.id === undefined ? undefined : errorAnswer(reading.id, reading.rcode);
    },
    flush,
  };
};
