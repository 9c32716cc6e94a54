import {
  GENERIC_KINDS,
  MEDIATED_KINDS,
  PROVIDER_KINDS,
  type CredentialInput,
} from '../../../app/contract/index.ts';
import { KIND_WORDS } from './words.ts';

/** One value of a secret, as the form asks for it. */
export type SecretField = {
  readonly name: string;
  readonly label: string;
  /** Shown as it is typed: it is no secret. */
  readonly open?: boolean;
  readonly optional?: boolean;
  /** A whole file, pasted. */
  readonly file?: boolean;
  readonly placeholder?: string;
  readonly hint?: string;
};

/** The place that a generic kind names behind its colon. */
export type PlaceField = {
  readonly label: string;
  readonly placeholder: string;
  readonly optional?: boolean;
  readonly wrong: string;
};

/** What the form asks for a kind of credential. */
export type KindForm = {
  /** Without the place: `header`, `query`. */
  readonly name: string;
  readonly label: string;
  readonly place?: PlaceField;
  readonly fields: readonly SecretField[];
  /** Has no host of its own: the user says where it is sent. */
  readonly needsHosts: boolean;
  /** What its hosts look like. */
  readonly hostsExample: string;
  /**
   * Who says which variable holds the placeholder: the kind alone, the kind unless the user does, the user,
   * or nobody unless the user does, because the kind's file inside holds it.
   */
  readonly variable: 'fixed' | 'usual' | 'named' | 'spare';
};

const USUAL_HOSTS = 'api.example.com, *.example.com:8443';
const KEPT = 'It goes to the keychain at once and is never shown again.';
const ONE: readonly SecretField[] = [{ name: 'secret', label: 'Secret', hint: KEPT }];

const PASSWORD: readonly SecretField[] = [{ name: 'secret', label: 'Password', hint: KEPT }];

const MEDIATED: Readonly<
  Record<(typeof MEDIATED_KINDS)[number], Omit<KindForm, 'name' | 'label'>>
> = {
  aws: {
    fields: [
      { name: 'id', label: 'Access key ID', open: true, placeholder: 'AKIA…' },
      { name: 'key', label: 'Secret access key', hint: KEPT },
      { name: 'token', label: 'Session token, for temporary pairs', optional: true },
    ],
    needsHosts: true,
    hostsExample: '*.amazonaws.com',
    variable: 'fixed',
  },
  'google-service-account': {
    fields: [
      {
        name: 'secret',
        label: 'Key file (JSON)',
        file: true,
        placeholder: '{ "type": "service_account", … }',
        hint: `${KEPT} Inside, GOOGLE_APPLICATION_CREDENTIALS leads to a file with a key that opens nothing.`,
      },
    ],
    needsHosts: false,
    hostsExample: '*.googleapis.com',
    variable: 'fixed',
  },
  'oauth-refresh': {
    fields: [
      {
        name: 'token_uri',
        label: 'Token address',
        open: true,
        placeholder: 'https://auth.example.com/token',
      },
      { name: 'client_id', label: 'Client ID', open: true },
      { name: 'client_secret', label: 'Client secret, if it has one', optional: true },
      { name: 'refresh_token', label: 'Refresh token', hint: KEPT },
    ],
    needsHosts: true,
    hostsExample: USUAL_HOSTS,
    variable: 'spare',
  },
  postgres: {
    fields: PASSWORD,
    needsHosts: true,
    hostsExample: 'db.example.com:5432',
    variable: 'usual',
  },
};

const PLACES: Readonly<Record<string, PlaceField>> = {
  header: {
    label: 'Name of the header',
    placeholder: 'X-Api-Key',
    wrong: 'The name of one HTTP header.',
  },
  query: {
    label: 'Name of the parameter',
    placeholder: 'api_key',
    wrong: 'The name of one query parameter.',
  },
  path: {
    label: 'What stands right before it in the path, if anything',
    placeholder: 'bot, for /bot<secret>/sendMessage',
    optional: true,
    wrong: 'Letters, digits, dots, dashes and underscores only.',
  },
  json: {
    label: 'Which field, as a JSON pointer',
    placeholder: '/auth/token',
    wrong: 'A JSON pointer begins with a slash: /auth/token.',
  },
  form: {
    label: 'Name of the field',
    placeholder: 'client_secret',
    wrong: 'The name of one form field.',
  },
};

const generic = (name: string): KindForm => ({
  name,
  label: KIND_WORDS[name] ?? name,
  ...(PLACES[name] === undefined ? {} : { place: PLACES[name] }),
  fields: name === 'basic' ? PASSWORD : ONE,
  needsHosts: true,
  hostsExample: USUAL_HOSTS,
  variable: 'named',
});

const names = (kinds: readonly string[]): readonly string[] =>
  Array.from(new Set(kinds.map((kind) => kind.split(':')[0] ?? kind)));

/** The kinds to choose from, in groups. */
export const KIND_GROUPS: readonly {
  readonly label: string;
  readonly kinds: readonly KindForm[];
}[] = [
  {
    label: 'Services',
    kinds: PROVIDER_KINDS.map((name) => ({
      name,
      label: KIND_WORDS[name] ?? name,
      fields: ONE,
      needsHosts: false,
      hostsExample: USUAL_HOSTS,
      variable: 'usual',
    })),
  },
  {
    label: 'Clouds and databases',
    kinds: MEDIATED_KINDS.map((name) => ({
      name,
      label: KIND_WORDS[name] ?? name,
      ...MEDIATED[name],
    })),
  },
  { label: 'Anything else', kinds: names(GENERIC_KINDS).map(generic) },
];

const ALL = KIND_GROUPS.flatMap(({ kinds }) => kinds);

export const kindForm = (name: string): KindForm =>
  ALL.find((kind) => kind.name === name) ?? generic(name);

/** The kind as the host knows it: with its place where it has one. */
export const kindOf = ({ name, place }: KindForm, at: string): CredentialInput['kind'] =>
  place === undefined || (place.optional === true && at === '') ? name : `${name}:${at}`;

/** The stored form of what was typed into a kind's fields. */
export const composeSecret = (name: string, values: Readonly<Record<string, string>>): string => {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
  if (name === 'aws') {
    return [given['id'], given['key'], given['token']]
      .filter((part) => part !== undefined)
      .join(':');
  }
  return name === 'oauth-refresh' ? JSON.stringify(given) : (given['secret'] ?? '');
};
