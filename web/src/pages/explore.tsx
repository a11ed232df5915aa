import { useQuery } from '@apollo/client/react';
import { useCallback, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { ChirpList, UserList } from '../components/lists';
import { PageHead } from '../components/page';
import { Empty, Failure, Loading } from '../components/states';
import { graphql } from '../gql';
import { useFetchPolicy } from '../history';

const RecentChirpsDocument = graphql(`
  query RecentChirps($first: Int!, $after: String) {
    recentChirps(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          ...ChirpCard_chirp
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const RecentUsersDocument = graphql(`
  query RecentUsers($first: Int!, $after: String) {
    recentUsers(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          ...UserCard_user
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const FIRST = { variables: { first: 20 } };

/** The chirps of all users, or the users themselves. */
export function Explore({ what }: { what: 'chirps' | 'people' }) {
  return (
    <>
      <PageHead title="Explore" />
      <GoTo />
      <nav className="tabs" aria-label="Explore">
        <Link href="/explore" aria-current={what === 'chirps' ? 'page' : undefined}>
          Chirps
        </Link>
        <Link href="/explore/people" aria-current={what === 'people' ? 'page' : undefined}>
          People
        </Link>
      </nav>
      {what === 'chirps' ? <RecentChirps /> : <RecentUsers />}
    </>
  );
}

// The API has no search, so the reader must know the name.
function GoTo() {
  const [name, setName] = useState('');
  const [, navigate] = useLocation();
  return (
    <form
      className="goto"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = name.trim().replace(/^@/, '');
        if (wanted) navigate(`/@${encodeURIComponent(wanted)}`);
      }}
    >
      <label htmlFor="goto" className="hidden">
        Go to a user by name
      </label>
      <input id="goto" value={name} onChange={(event) => setName(event.target.value)} placeholder="Go to a user…" autoComplete="off" autoCapitalize="none" spellCheck={false} />
      <button type="submit" className="button">
        Go
      </button>
    </form>
  );
}

/** The chirps of all users, newest first. */
export function RecentChirps() {
  const { data, error, fetchMore, refetch } = useQuery(RecentChirpsDocument, { ...FIRST, ...useFetchPolicy() });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  const page = data?.recentChirps;
  if (!page) return error ? <Failure error={error} retry={retry} /> : <Loading what="chirps" />;
  if (page.edges.length === 0) {
    return (
      <Empty title="Nothing yet">
        <p>Nobody has posted yet. Be the first.</p>
      </Empty>
    );
  }
  return <ChirpList label="Recent chirps" page={page} more={(after) => fetchMore({ variables: { after } })} />;
}

function RecentUsers() {
  const { data, error, fetchMore, refetch } = useQuery(RecentUsersDocument, { ...FIRST, ...useFetchPolicy() });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]);
  const page = data?.recentUsers;
  if (!page) return error ? <Failure error={error} retry={retry} /> : <Loading what="people" />;
  if (page.edges.length === 0) {
    return (
      <Empty title="Nobody yet">
        <p>Be the first to join.</p>
      </Empty>
    );
  }
  return <UserList label="People who joined recently" page={page} more={(after) => fetchMore({ variables: { after } })} />;
}
