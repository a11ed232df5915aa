import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Failure } from './states';

export interface InfiniteListProps {
  label: string;
  hasMore: boolean;
  /** Loads the next page. */
  more(): Promise<unknown>;
  children: ReactNode;
}

/**
 * A list that loads its next page before the reader reaches the end. The button does the
 * same for readers who do not scroll, and shows that a page is loading.
 */
export function InfiniteList({ label, hasMore, more, children }: InfiniteListProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const end = useRef<HTMLDivElement>(null);
  const load = useRef(() => {});
  load.current = () => {
    if (busy || !hasMore) return;
    setBusy(true);
    setError(null);
    more().then(
      () => setBusy(false),
      (reason: unknown) => {
        setBusy(false);
        setError(reason);
      },
    );
  };
  useEffect(() => {
    if (!end.current || !hasMore || busy || error) return;
    // A busy browser reports several changes at once; only the last is current.
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && load.current(), { rootMargin: '900px' });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [hasMore, busy, error]);
  return (
    <section aria-label={label} aria-busy={busy}>
      <ul className="list">{children}</ul>
      {error ? <Failure error={error} retry={() => load.current()} /> : null}
      <div className="end" ref={end}>
        {hasMore ? (
          <button type="button" className="button" aria-disabled={busy} onClick={() => load.current()}>
            {busy ? 'Loading…' : 'Show more'}
          </button>
        ) : (
          <p>That is all.</p>
        )}
      </div>
    </section>
  );
}
