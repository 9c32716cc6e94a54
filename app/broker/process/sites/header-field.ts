import { assertNever } from '../../../kit/index.ts';
import type { InjectionSite } from '../../../policy/index.ts';
import type { Swap, Swapped } from './swap.ts';

const BEARER = /^(bearer|token)( +)(\S+)$/i;
const BASIC = /^(basic)( +)([a-z0-9+/]+={0,2})$/i;

const swapBasic = (value: string, { placeholder, secret }: Swap): Swapped | undefined => {
  const [, scheme = '', space = '', encoded] = BASIC.exec(value) ?? [];
  if (encoded === undefined) return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 0) return undefined;
  const user = decoded.slice(0, colon);
  const password = decoded.slice(colon + 1);
  // Both parts at once would be one credential in two places; no client does that.
  if ((user === placeholder) === (password === placeholder)) return undefined;
  const put = (filling: string): string => {
    const pair = user === placeholder ? `${filling}:${password}` : `${user}:${filling}`;
    return `${scheme}${space}${Buffer.from(pair).toString('base64')}`;
  };
  return { text: put(secret), rest: put('') };
};

/** Puts the real value into a header field, where the site is that field and the placeholder stands there once. */
export const swapHeader = (
  site: InjectionSite,
  name: string,
  value: string,
  swap: Swap,
): Swapped | undefined => {
  const { placeholder, secret } = swap;
  switch (site.type) {
    case 'header': {
      if (name !== site.name.toLowerCase()) return undefined;
      const at = value.indexOf(placeholder);
      if (at < 0) return undefined;
      const before = value.slice(0, at);
      const behind = value.slice(at + placeholder.length);
      return { text: `${before}${secret}${behind}`, rest: `${before}${behind}` };
    }
    case 'authorization': {
      const [, scheme = '', space = '', token] = BEARER.exec(value) ?? [];
      if (name !== 'authorization' || token !== placeholder) return undefined;
      return { text: `${scheme}${space}${secret}`, rest: scheme };
    }
    case 'basic':
      return name === 'authorization' ? swapBasic(value, swap) : undefined;
    case 'query':
    case 'path':
    case 'json':
    case 'form':
    // A mediator's: nothing is put into a head by itself.
    case 'aws-sigv4':
    case 'oauth-refresh':
    case 'google-service-account':
    case 'postgres':
      return undefined;
    default:
      return assertNever(site, 'swapping a placeholder');
  }
};
