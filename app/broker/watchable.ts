/** Fewest characters of a value that is watched for: shorter ones turn up in ordinary text. */
export const MIN_WATCHED_CHARS = 8;
/** Longest value that is watched for, in characters. */
export const MAX_WATCHED_CHARS = 16_384;

/** Words that are values of settings everywhere, and values that name something rather than open it. */
const COMMON =
  /^(?:development|production|staging|testing|localhost|undefined|disabled|enabled|password|changeme|postgres|username|example.*|placeholder.*|your[-_ ].*|(?:change|replace)[-_ ]?me.*)$/i;
const ADDRESS =
  /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[\w-]+\.)+[a-z]{2,18}(?::\d+)?(?:\/[\w./~-]*)?$|^https?:\/\/localhost\b[^@]*$/i;
const PATH = /^(?:~|\.{1,2})?\/[\w./@-]*$/;
const MAIL = /^[^\s@:/]+@[^\s@:/]+\.[a-z]{2,}$/i;
/** A variable or a template in place of a value. */
const REFERENCE = /^\$\w+$|(?<![\w$])\$[A-Z_][A-Z\d_]+\b|\$\{\w|\$\(|\{\{|^<.*>$|^%\w+%$/;
/** A part of an address or a path that opens what it names, as in a webhook's. */
const LONG_TOKEN = /(?=[A-Za-z_-]*\d)[\w-]{20,}/;
const WORDS = /^[a-z]+(?:[-_. ][a-z]+)*[.!?]?$/i;
const INNER_CAPITALS = /[a-z][A-Z]|[A-Z]{2}[a-z]/;
/** Longest run of words, without a space between, that is taken for a name. */
const MAX_NAME_CHARS = 20;
/** Versions, dates, times and lists of numbers. */
const NUMBERS = /^v?[\d.:,TZ/ _+-]{1,64}$/;
/** Fewest different characters of a value that is worth watching for. */
const MIN_DIFFERENT_CHARS = 5;

const isName = (value: string): boolean =>
  ((ADDRESS.test(value) || PATH.test(value)) && !LONG_TOKEN.test(value)) || MAIL.test(value);

const isWords = (value: string): boolean =>
  WORDS.test(value) &&
  (value.includes(' ') || (value.length < MAX_NAME_CHARS && !INNER_CAPITALS.test(value)));

/** A password in an address: then it is more than a setting. */
const PASSWORD_IN_ADDRESS = /:\/\/[^\s/@]*:[^\s/@]+@/;
/** What stands between the parts of settings. */
const BETWEEN_PARTS = /[-_./:,;=+ @*"<>()[\]\\]+/;
/** Words with a number, numbers with a unit, and the like of `x86` and `utf8mb4`. */
const PART = /^(?:[A-Za-z]{1,19}\d{0,4}|\d{1,12}[A-Za-z]{0,2}|[A-Za-z]{1,4}\d{1,2}[a-z]{1,3}\d?)$/;

/** Names of several words in one, such as `SameSite`. */
const JOINED_WORDS = /^[a-z]{0,12}(?:[A-Z]{1,3}[a-z]{2,12}){1,4}[A-Z]{0,4}\d{0,4}$/;

/**
 * Whether a value is all words and small numbers, as the names of regions, models, images, time zones,
 * media types and local services are. Requests of ordinary work are full of those.
 */
const isSetting = (value: string): boolean =>
  !PASSWORD_IN_ADDRESS.test(value) &&
  value
    .split(BETWEEN_PARTS)
    .every(
      (part) =>
        part === '' || (PART.test(part) && !INNER_CAPITALS.test(part)) || JOINED_WORDS.test(part),
    );

/**
 * Whether a value is worth watching for: long enough, of enough different characters, and neither
 * plain words or numbers, nor a reference, an address, a path or a date that ordinary requests are full of.
 * Under a name that does not say that it opens something (`setting`), it has to look more like a secret.
 */
export const isWatchable = (value: string, setting = false): boolean =>
  value.length >= MIN_WATCHED_CHARS &&
  value.length <= MAX_WATCHED_CHARS &&
  new Set(value).size >= MIN_DIFFERENT_CHARS &&
  !COMMON.test(value) &&
  !REFERENCE.test(value) &&
  !isName(value) &&
  !isWords(value) &&
  !NUMBERS.test(value) &&
  !(setting && isSetting(value));
