import type { ReactNode } from 'react';

/** The sign: a case with two gloves. */
export const Brand = (): ReactNode => (
  <svg
    width="18"
    height="18"
    viewBox="0 0 18 18"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.6"
    aria-hidden="true"
  >
    <rect x="1.5" y="3" width="15" height="12" rx="2.5" />
    <circle cx="6" cy="9" r="2.1" />
    <circle cx="12" cy="9" r="2.1" />
  </svg>
);
