const KIB = 1024;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `812 B`, `8.4 kB`, `31 kB`, `1.2 MB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= KIB;
    unit += 1;
  }
  const digits = unit === 0 || value >= 10 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
};

/** `96 ms`, `4.2 s`, `3 min 5 s`, `2 h 4 min`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1) return '<1 ms';
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 3_600_000) return formatSpan(ms);
  const seconds = Math.floor((ms % 60_000) / 1000);
  return `${Math.floor(ms / 60_000)} min${seconds === 0 ? '' : ` ${seconds} s`}`;
};

/** A span in the coarsest words that still help: `12 s`, `22 min`, `1 h 38 min`, `3 days`. */
export const formatSpan = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
};

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:22:07`, local time. */
export const formatTime = (at: string | number): string => {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};

/** `14:22:07.345`, local time. */
export const formatExactTime = (at: string | number): string =>
  `${formatTime(at)}.${String(new Date(at).getMilliseconds()).padStart(3, '0')}`;

/** `14:22`, local time. */
export const formatClock = (at: string | number): string => formatTime(at).slice(0, 5);

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

const formatDate = (date: Date): string =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** `2026-11-03 14:22:07.345`, local time. */
export const formatInstant = (at: string | number): string =>
  `${formatDate(new Date(at))} ${formatExactTime(at)}`;

/** When something ended, short and in local time: `14:22` today, `Fri` this week, `2026-11-03` before. */
export const formatWhen = (at: string, now: number): string => {
  const date = new Date(at);
  const age = now - date.getTime();
  if (age < 12 * 3_600_000) return formatClock(at);
  if (age < 6 * 86_400_000) return DAYS[date.getDay()] ?? '';
  return formatDate(date);
};

/** `1,204`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** As it fits a tab: `1,204`, then `12k`, `1.2M`. */
export const formatShortCount = (count: number): string =>
  count < 10_000
    ? formatCount(count)
    : count
        .toLocaleString('en-US', {
          notation: 'compact',
          maximumFractionDigits: count < 1e6 ? 0 : 1,
        })
        .replace('K', 'k');

/** `1 file`, `6 files`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** The user's home folder as `~`. */
export const tidyPath = (path: string, home: string | undefined): string => {
  if (home === undefined || home === '' || home === '/') return path;
  if (path === home) return '~';
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
};
