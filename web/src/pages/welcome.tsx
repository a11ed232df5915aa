import { Link } from 'wouter';
import { PageHead } from '../components/page';
import { RecentChirps } from './explore';

/** What somebody sees who is not logged in. */
export function Welcome() {
  return (
    <>
      <div className="welcome">
        <PageHead title="Short texts, live" />
        <p>Follow people, and what they post is there the moment they post it.</p>
        <p className="actions">
          <Link href="/register" className="button primary">
            Join
          </Link>
          <Link href="/login" className="button">
            Log in
          </Link>
        </p>
      </div>
      <h2 className="section">What goes on here</h2>
      <RecentChirps />
    </>
  );
}
