import { lazy, Suspense } from 'react';
import { PageHead } from '../components/page';
import { Loading } from '../components/states';

// Few visits need it, so the first load goes without. After an update of the server the
// file may be gone; a reload finds the new one.
const AccountDetails = lazy(() =>
  import('../components/account').catch(() => ({ default: NotLoaded })),
);

function NotLoaded() {
  return (
    <div className="failure" role="alert">
      <p>This page could not be loaded, perhaps because it has changed. Reload it.</p>
      <button type="button" className="button" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  );
}

/** The page on which users see and end their sessions, and change their password. */
export function Account() {
  return (
    <>
      <PageHead title="Account" />
      <Suspense fallback={<Loading what="account" rows={2} />}>
        <AccountDetails />
      </Suspense>
    </>
  );
}
