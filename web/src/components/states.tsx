import { useEffect, useRef, type ReactNode } from 'react';
import { explain } from '../api/errors';
import { useConnection } from '../session';

/** A placeholder with about the shape of the list, so that the layout shifts little when it loads. */
export function Loading({ what, rows = 4 }: { what: string; rows?: number }) {
  return (
    <div className="loading" role="status">
      <span className="hidden">Loading {what}…</span>
      {Array.from({ length: rows }, (_, i) => (
        <div className="skeleton" key={i} aria-hidden="true">
          <span />
          <div>
            <i />
            <i />
          </div>
        </div>
      ))}
    </div>
  );
}

/** The empty state: a title, and what the reader can do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Shows what went wrong. It retries when the live connection or the network is back. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const connection = useConnection();
  const { text, retry: helps } = explain(error);
  const before = useRef(connection);
  useEffect(() => {
    if (connection === 'live' && before.current !== 'live' && helps) retry?.();
    before.current = connection;
  }, [connection, helps, retry]);
  useEffect(() => {
    if (!helps || !retry) return;
    window.addEventListener('online', retry);
    return () => window.removeEventListener('online', retry);
  }, [helps, retry]);
  return (
    <div className="failure" role="alert">
      <p>{text}</p>
      {retry && helps && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
