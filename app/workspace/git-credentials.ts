/** Longest git configuration that is rewritten; a longer one is hidden whole. */
export const MAX_GIT_CONFIG_BYTES = 1_048_576;

/** `scheme://user:password@` and `scheme://token@`; a bare user name over ssh is no secret. */
const URL_CREDENTIAL = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/@"'\\]+)@/gi;
const SECRET_SETTING =
  /^(?:\s*\[[^\]]*\])?\s*[\w-]*(?:extraheader|pass(?:wd|word|phrase)?|token|secret|oauth\w*)\s*=/i;

const withoutUrlCredentials = (line: string): string =>
  line.replace(URL_CREDENTIAL, (whole: string, scheme: string, user: string) =>
    /^(?:ssh|git\+ssh|ssh\+git):\/\/$/i.test(scheme) && !user.includes(':') ? whole : scheme,
  );

/**
 * A git configuration (or FETCH_HEAD, or reflog) without the secrets in it: credentials in URLs are cut
 * out, settings that carry one (`http.extraHeader`, passwords, tokens) are dropped with their continuations.
 * Returns undefined where there is nothing to take out.
 */
export const withoutGitSecrets = (text: string, settings: boolean): string | undefined => {
  const kept: string[] = [];
  let dropping = false;
  for (const line of text.split('\n')) {
    const continued = dropping;
    if (continued || (settings && SECRET_SETTING.test(line))) {
      dropping = /(?:^|[^\\])(?:\\\\)*\\$/.test(line);
      continue;
    }
    kept.push(withoutUrlCredentials(line));
  }
  const clean = kept.join('\n');
  return clean === text ? undefined : clean;
};
