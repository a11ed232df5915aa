import { useState } from 'react';

let back = false;

// This module is imported first, so that its listener runs before the router's.
window.addEventListener('popstate', () => {
  back = true;
});
for (const event of ['pushState', 'replaceState']) {
  window.addEventListener(event, () => {
    back = false;
  });
}

/** Reports whether the reader reached the current page with the browser's back or forward button. */
export function wentBack(): boolean {
  return back;
}

/**
 * Returns the fetch policy for a list: up to date, except that a reader who comes back to a
 * list finds it as they left it, and so keeps their place.
 */
export function useFetchPolicy() {
  return useState(() => ({ fetchPolicy: back ? 'cache-first' : 'cache-and-network', nextFetchPolicy: 'cache-first' }) as const)[0];
}
