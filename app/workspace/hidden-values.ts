import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { HiddenFile } from '../contract/index.ts';
import { readPlain } from './survey.ts';

/** Largest hidden file whose values are read, in bytes: larger ones are dumps rather than settings. */
export const MAX_VALUE_FILE_BYTES = 256 * 1024;
/** Most hidden files whose values are read. */
export const MAX_VALUE_FILES = 500;
/** Most values taken from one file. */
export const MAX_VALUES_PER_FILE = 200;
/** How deep hidden folders are looked into. */
const MAX_FOLDER_DEPTH = 4;

/** A value in a hidden file, and what it is called there. Never for a log. */
export type HiddenValue = {
  readonly path: string;
  readonly name: string;
  readonly value: string;
  /** Its name does not say that it opens something: a region or a model rather than a key. */
  readonly setting: boolean;
};

export type HiddenValuesRequest = { readonly root: string; readonly hidden: readonly HiddenFile[] };

export type HiddenValues = {
  readonly values: readonly HiddenValue[];
  /** Files that could not be read, were too large, or too many. */
  readonly unread: readonly string[];
};

type Named = { readonly name: string; readonly value: string };

const PEM =
  /-----BEGIN [A-Z0-9 ]{0,64}PRIVATE KEY(?: BLOCK)?-----[\s\S]{16,32768}?-----END [A-Z0-9 ]{0,64}-----/g;
const ASSIGNMENT =
  /^[\t ]*(?:-[\t ]+)*(?:export[\t ]+|set[\t ]+)?["']?([\w.:/@-]{1,128})["']?[\t ]*[:=][\t ]*("(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`|[^\r\n]*)/gm;
/** A password in an address, as in `postgres://user:password@host`. */
const IN_ADDRESS = /[a-z][a-z0-9+.-]{0,31}:\/\/[^\s:@/]*:([^\s@/]+)@/gi;

/** What build tools put into pages: public by its name. */
const PUBLIC_NAME =
  /^(?:NEXT_PUBLIC|EXPO_PUBLIC|NUXT_PUBLIC|PUBLIC|VITE|REACT_APP|VUE_APP|GATSBY|STORYBOOK)_/;
/** Names under which JSON files keep secrets; their other members name things. */
const SECRET_NAME = /pass(?:w|phrase)|pwd|secret|token|key|credential|auth|private/i;

/**
 * Ends of names that say that what they name opens something, perhaps for one of several places:
 * `DB_PASSWORD_PROD`. Behind other words they do not: `TOKEN_URL`, `KEY_FILE`.
 */
const SECRET_END =
  /(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|credentials?|auth|in an address)(?:_base|[-_.]?\d{1,3}|[-_.](?:prod(?:uction)?|dev(?:elopment)?|test(?:ing)?|stag(?:e|ing)|live|local|main|primary|secondary|default|old|new)){0,2}$/i;

/** Programs and pages, hidden for what is inside: of their lines only texts in quotes are values. */
const PROGRAM_FILE =
  /\.(?:[cm]?[jt]sx?|vue|svelte|astro|html?|css|py|ipynb|rb|erb|php|go|rs|java|kts?|scala|groovy|gradle|cs|fs|vb|swift|mm?|[ch](?:pp|c)?|lua|pl|pm|r|jl|exs?|erl|clj|dart|zig|nix|sql|ps1|md|rst)$/i;
/** A text in quotes, with the name that it is given where there is one. */
const QUOTED =
  /(?:(?<=([\w.-]{1,128})["']?[\t ]*(?:=>?|:=?)[\t ]*)|)(["'`])((?:(?!\2)[^\\\r\n]){8,4096})\2/g;
/** What keys and tokens are made of, with a digit among it. */
const TOKEN = /^(?=.*\d)(?=.*[A-Za-z])[\w+/=.:~@-]{16,}$/;

/** Byte order marks of UTF-16, as some shells of Windows write it. */
const UTF_16 = { 'utf-16le': 0xfffe, 'utf-16be': 0xfeff } as const;

const unquote = (text: string): string => {
  const [quote] = text;
  const quoted = text.length >= 2 && (quote === '"' || quote === "'" || quote === '`');
  if (!quoted || !text.endsWith(quote))
    return text
      .replace(/\s+#.*$/, '')
      .trim()
      .replace(/,$/, '');
  const inner = text.slice(1, -1);
  return quote === '"'
    ? inner.replaceAll(
        /\\([nrt"\\])/g,
        (_, letter: string) => ({ n: '\n', r: '\r', t: '\t' })[letter] ?? letter,
      )
    : inner;
};

const decodeAddress = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: then it is what it looks like.
    return text;
  }
};

const fromJson = (value: unknown, name: string): readonly Named[] => {
  if (typeof value === 'string') return SECRET_NAME.test(name) ? [{ name, value }] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    fromJson(member, name === '' ? key : `${name}.${key}`),
  );
};

/** `machine host login user password secret` (.netrc), in one line or several. */
const fromNetrc = (text: string): readonly Named[] =>
  Array.from(text.matchAll(/\b(password|account)\s+(\S+)/g), ([, name = '', value = '']) => ({
    name,
    value,
  }));

/** Lines of fields between colons whose last one is the secret (.pgpass, .htpasswd). */
const fromFields = (text: string): readonly Named[] =>
  text
    .split(/\r?\n/)
    .filter((line) => line.includes(':') && !line.startsWith('#'))
    .map((line) => ({ name: 'password', value: line.split(':').at(-1) ?? '' }));

/** Texts in quotes that a program may log in with: what looks like a token, and what is named as a secret. */
const fromProgram = (text: string): readonly Named[] =>
  Array.from(text.matchAll(QUOTED), ([, name = 'a text in quotes', , value = '']) => ({
    name,
    value,
  })).filter(({ name, value }) => TOKEN.test(value) || (SECRET_END.test(name) && /\d/.test(value)));

/** The lines of a settings file, or the members of one in JSON. */
const fromSettings = (text: string): readonly Named[] => {
  try {
    return fromJson(JSON.parse(text), '');
  } catch {
    // Not JSON: read line by line.
    return Array.from(
      text.replaceAll(PEM, '').matchAll(ASSIGNMENT),
      ([, key = '', value = '']) => ({
        name: key,
        value: unquote(value.trim()),
      }),
    );
  }
};

/** The values of a settings file or a program: assignments, JSON members, private keys, and passwords in addresses. */
export const valuesIn = (path: string, text: string): readonly Named[] => {
  const keys = Array.from(text.replaceAll(String.raw`\n`, '\n').matchAll(PEM), ([value]) => ({
    name: 'private key',
    value,
  }));
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  let settings = PROGRAM_FILE.test(name) ? fromProgram(text) : fromSettings(text);
  if (name.endsWith('netrc')) settings = [...settings, ...fromNetrc(text)];
  if (name === '.pgpass' || name === '.htpasswd') settings = [...settings, ...fromFields(text)];
  if (/^[^\s=:{"]{8,4096}\s*$/.test(text))
    settings = [...settings, { name: 'token', value: text.trim() }];
  const inAddresses = Array.from(text.matchAll(IN_ADDRESS), ([, value = '']) => ({
    name: 'password in an address',
    value: decodeAddress(value),
  }));
  return [...keys, ...settings, ...inAddresses].filter(
    ({ name: called, value }) => value !== '' && !PUBLIC_NAME.test(called),
  );
};

/** Files below a hidden folder, added to `files` up to the cap; false where there are more, or it is too deep. */
const addFilesBelow = (root: string, path: string, depth: number, files: string[]): boolean => {
  if (depth > MAX_FOLDER_DEPTH) return false;
  let all = true;
  for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
    if (files.length >= MAX_VALUE_FILES) return false;
    const inner = `${path}/${entry.name}`;
    if (entry.isFile()) files.push(inner);
    else if (entry.isDirectory()) all = addFilesBelow(root, inner, depth + 1, files) && all;
  }
  return all;
};

/** A file's text, without its byte order mark; undefined for key stores and the like, which hold none that could be looked for. */
const textOf = (bytes: Buffer): string | undefined => {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  for (const [encoding, wanted] of Object.entries(UTF_16))
    if (mark === wanted) return new TextDecoder(encoding).decode(bytes);
  return bytes.includes(0) ? undefined : new TextDecoder().decode(bytes);
};

/** Reads the values of a project's hidden files. Runs in a thread; follows no link. */
export const readHiddenValues = ({ root, hidden }: HiddenValuesRequest): HiddenValues => {
  const values: HiddenValue[] = [];
  const unread: string[] = [];
  const files: string[] = [];
  // Single files first: a large folder must not take their place.
  for (const { path, directory } of hidden.toSorted(
    (one, other) => Number(one.directory) - Number(other.directory),
  )) {
    try {
      if (directory) {
        if (!addFilesBelow(root, path, 0, files)) unread.push(`the rest of ${path}`);
      } else if (files.length >= MAX_VALUE_FILES) unread.push(path);
      // What a link leads to is hidden under its own name where it is in the project.
      else if (!lstatSync(join(root, path)).isSymbolicLink()) files.push(path);
    } catch {
      unread.push(path);
    }
  }
  for (const path of files) {
    const bytes = readPlain(join(root, path), MAX_VALUE_FILE_BYTES);
    if (bytes === undefined) {
      unread.push(path);
      continue;
    }
    const named = valuesIn(path, textOf(bytes) ?? '');
    if (named.length > MAX_VALUES_PER_FILE) unread.push(`the rest of ${path}`);
    for (const { name, value } of named.slice(0, MAX_VALUES_PER_FILE))
      values.push({ path, name, value, setting: !SECRET_END.test(name) });
  }
  return { values, unread };
};
