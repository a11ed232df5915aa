import { Link } from 'wouter';
import { PageHead } from '../components/page';
import { Empty } from '../components/states';

/** The page for anything that does not exist. */
export function NotFound({ what = 'There is nothing at this address' }: { what?: string }) {
  return (
    <>
      <PageHead title="Not found" back />
      <Empty title={what}>
        <Link href="/explore" className="button">
          Look around
        </Link>
      </Empty>
    </>
  );
}
