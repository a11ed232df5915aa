import { useState } from 'react';

let back = false;

// Before the router hears of it: this is the first listener.
window.addEventListener('popstate', () => {
  back = true;
});
for (const forth of ['pushState', 'replaceState']) {
  window.addEventListener(forth, () => {
    back = false;
  });
}

/** Whether the reader went back, or forth again, to where they are. */
export function wentBack(): boolean {
  return back;
}

/**
 * How a list is fetched: as it is by now, but for those who come back to it as they left
 * it, so that they find their place.
 */
export function useFreshness() {
  return useState(() => ({ fetchPolicy: back ? 'cache-first' : 'cache-and-network', nextFetchPolicy: 'cache-first' }) as const)[0];
}
