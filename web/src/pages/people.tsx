import { useQuery } from '@apollo/client/react';
import { useCallback } from 'react';
import { Link } from 'wouter';
import { UserList } from '../components/lists';
import { PageHead } from '../components/page';
import { Empty, Failure, Loading } from '../components/states';
import { graphql } from '../gql';
import { useFetchPolicy } from '../history';
import { NotFound } from './not-found';

const FollowersDocument = graphql(`
  query Followers($username: String!, $first: Int!, $after: String) {
    user(username: $username) {
      id
      username
      followers(first: $first, after: $after) {
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
  }
`);

const FollowingDocument = graphql(`
  query Following($username: String!, $first: Int!, $after: String) {
    user(username: $username) {
      id
      username
      following(first: $first, after: $after) {
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
  }
`);

/** The users who follow a user, or whom that user follows. */
export function People({ username, what }: { username: string; what: 'followers' | 'following' }) {
  return (
    <>
      <PageHead title={`@${username}`} back />
      <nav className="tabs" aria-label={`People around ${username}`}>
        <Link href={`/@${username}/followers`} replace aria-current={what === 'followers' ? 'page' : undefined}>
          Followers
        </Link>
        <Link href={`/@${username}/following`} replace aria-current={what === 'following' ? 'page' : undefined}>
          Following
        </Link>
      </nav>
      {what === 'followers' ? <Followers username={username} /> : <Following username={username} />}
    </>
  );
}

function Followers({ username }: { username: string }) {
  const { data, error, fetchMore, refetch } = useQuery(FollowersDocument, { ...useFetchPolicy(), variables: { username, first: 20 } });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  if (!data?.user) return <NoUser loaded={Boolean(data)} error={error} retry={retry} username={username} />;
  const page = data.user.followers;
  if (page.edges.length === 0) return <Empty title={`Nobody follows ${data.user.username} yet`} />;
  return <UserList label="Followers" page={page} more={(after) => fetchMore({ variables: { after } })} />;
}

function Following({ username }: { username: string }) {
  const { data, error, fetchMore, refetch } = useQuery(FollowingDocument, { ...useFetchPolicy(), variables: { username, first: 20 } });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]);
  if (!data?.user) return <NoUser loaded={Boolean(data)} error={error} retry={retry} username={username} />;
  const page = data.user.following;
  if (page.edges.length === 0) return <Empty title={`${data.user.username} follows nobody yet`} />;
  return <UserList label="Following" page={page} more={(after) => fetchMore({ variables: { after } })} />;
}

function NoUser({ loaded, error, retry, username }: { loaded: boolean; error: unknown; retry(): void; username: string }) {
  if (error) return <Failure error={error} retry={retry} />;
  return loaded ? <NotFound what={`There is no user named ${username}`} /> : <Loading what="people" />;
}
