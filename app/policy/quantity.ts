import { fail, ok, type Result } from '../kit/index.ts';

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const notADuration = (): Result<number> =>
  fail('policy.invalid', 'That is not a duration.', 'Write it like 90m, 2h or 1h30m.');

/** Reads `90m`, `2h`, `1h30m`, `45s` as milliseconds; the unit is needed, zero is refused. */
export const parseDuration = (text: string): Result<number> => {
  if (!/^(?:[0-9]{1,9}(?:ms|s|m|h|d))+$/.test(text)) return notADuration();
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATION_MS[unit] ?? Number.NaN);
  }
  return Number.isSafeInteger(total) && total > 0 ? ok(total) : notADuration();
};

/** Reads `8g`, `512m`, `1.5g` or plain bytes, in powers of 1024 as container engines count; zero is refused. */
export const parseSize = (text: string): Result<number> => {
  const match = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)([kmgt]?)(?:i?b)?$/i.exec(text);
  const bytes = Math.floor(
    Number(match?.[1]) * (SIZE_BYTES[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN),
  );
  return Number.isSafeInteger(bytes) && bytes > 0
    ? ok(bytes)
    : fail('policy.invalid', 'That is not a size.', 'Write it like 512m or 8g.');
};
