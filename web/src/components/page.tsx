import { useEffect, type ReactNode } from 'react';
import { Icon } from './icons';

/** The head of a page: its title, which is also the window's, and optionally a back button. */
export function PageHead({ title, back = false, children }: { title: string; back?: boolean; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Chirp`;
  }, [title]);
  return (
    <div className="page-head">
      {back && (
        <button type="button" className="icon-button" onClick={() => history.back()}>
          <Icon name="back" />
          <span className="hidden">Back</span>
        </button>
      )}
      <h1 tabIndex={-1}>{title}</h1>
      {children}
    </div>
  );
}
