import { useSyncExternalStore } from 'react';
import { ago, inFull } from '../text/words';

const TICK = 15_000;

// One timer updates all times on the page.
let now = Date.now();
const listeners = new Set<() => void>();
let clock: ReturnType<typeof setInterval> | undefined;

function listen(listener: () => void): () => void {
  listeners.add(listener);
  clock ??= setInterval(() => {
    now = Date.now();
    for (const each of [...listeners]) each();
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(clock);
    clock = undefined;
  };
}

/** How long ago something happened, kept up to date. */
export function TimeAgo({ at }: { at: string }) {
  const moment = new Date(at);
  const text = useSyncExternalStore(listen, () => ago(moment, Math.max(now, Date.now() - TICK)));
  return (
    <time dateTime={at} title={inFull(moment)}>
      {text}
    </time>
  );
}
