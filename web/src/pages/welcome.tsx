import { Link } from 'wouter';
import { PageHead } from '../components/page';
import { RecentChirps } from './explore';

/** The home page for anonymous visitors. */
export function Welcome() {
  return (
    <>
      <div className="welcome">
        <PageHead title="Short texts, live" />
        <p>Follow people, and see what they post the moment they post it.</p>
        <p className="actions">
          <Link href="/register" className="button primary">
            Join
          </Link>
          <Link href="/login" className="button">
            Log in
          </Link>
        </p>
      </div>
      <h2 className="section">What people are posting</h2>
      <RecentChirps />
    </>
  );
}
