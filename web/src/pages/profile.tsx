import { NetworkStatus } from '@apollo/client';
import { useQuery, useSubscription } from '@apollo/client/react';
import { useCallback, useLayoutEffect, useState } from 'react';
import { Link } from 'wouter';
import { Avatar } from '../components/avatar';
import { Star } from '../components/chirp-card';
import { FollowButton } from '../components/follow-button';
import { ChirpList } from '../components/lists';
import { PageHead } from '../components/page';
import { Empty, Failure, Loading } from '../components/states';
import { graphql, unmask, type FragmentType } from '../gql';
import { useFetchPolicy } from '../history';
import { short } from '../text/words';
import { useViewer } from '../viewer';
import { NotFound } from './not-found';

const ProfileHeadFragment = graphql(`
  fragment ProfileHead_user on User {
    id
    username
    joinedAt
    followerCount
    followingCount
    chirpCount
    isCelebrity
    ...FollowButton_user
  }
`);

const ProfileDocument = graphql(`
  query Profile($username: String!, $first: Int!, $after: String) {
    user(username: $username) {
      id
      chirpCount
      ...ProfileHead_user
      chirps(first: $first, after: $after) {
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
  }
`);

const ProfileUpdatedDocument = graphql(`
  subscription ProfileUpdated($userId: ID!) {
    profileUpdated(userId: $userId) {
      id
      followerCount
      followingCount
      chirpCount
      isCelebrity
    }
  }
`);

/** A user's profile and chirps. */
export function Profile({ username }: { username: string }) {
  const { data, error, fetchMore, refetch, loading, networkStatus } = useQuery(ProfileDocument, {
    variables: { username, first: 20 },
    ...useFetchPolicy(),
  });
  const retry = useCallback(() => void refetch().catch(() => {}), [refetch]); // error is set
  const user = data?.user;
  if (error && !user) {
    return (
      <>
        <PageHead title={`@${username}`} back />
        <Failure error={error} retry={retry} />
      </>
    );
  }
  if (data && !user && !loading) return <NotFound what={`There is no user named ${username}`} />;
  if (!user) {
    return (
      <>
        <PageHead title={`@${username}`} back />
        <Loading what={username} />
      </>
    );
  }
  return (
    <>
      <ProfileHead user={user} />
      <NewChirps key={user.id} count={user.chirpCount} loading={loading && networkStatus !== NetworkStatus.fetchMore} refresh={refetch} />
      {user.chirps.edges.length === 0 ? (
        <Empty title="No chirps yet" />
      ) : (
        <ChirpList label="Chirps" page={user.chirps} more={(after) => fetchMore({ variables: { after } })} />
      )}
    </>
  );
}

function ProfileHead({ user: masked }: { user: FragmentType<typeof ProfileHeadFragment> }) {
  const user = unmask(ProfileHeadFragment, masked);
  const own = useViewer()?.id === user.id;
  useSubscription(ProfileUpdatedDocument, { variables: { userId: user.id }, ignoreResults: true });
  return (
    <>
      <PageHead title={`@${user.username}`} back />
      <header className="profile">
        <Avatar name={user.username} large />
        <div className="profile-text">
          <p className="profile-name">
            {user.username}
            {user.isCelebrity && <Star />}
          </p>
          <p className="quiet">
            {own ? 'You joined' : 'Joined'} {new Date(user.joinedAt).toLocaleDateString('en', { month: 'short', year: 'numeric' })}
          </p>
        </div>
        <FollowButton user={user} />
        <ul className="counts">
          <li>
            <b data-count="chirps">{short(user.chirpCount)}</b> {user.chirpCount === 1 ? 'chirp' : 'chirps'}
          </li>
          <li>
            <Link href={`/@${user.username}/followers`}>
              <b data-count="followers">{short(user.followerCount)}</b> {user.followerCount === 1 ? 'follower' : 'followers'}
            </Link>
          </li>
          <li>
            <Link href={`/@${user.username}/following`}>
              <b data-count="following">{short(user.followingCount)}</b> following
            </Link>
          </li>
        </ul>
      </header>
    </>
  );
}

// NewChirps offers to reload the list, which unlike the counts is not live, when chirpCount has grown.
function NewChirps({ count, loading, refresh }: { count: number; loading: boolean; refresh(): Promise<unknown> }) {
  const [seen, setSeen] = useState(count);
  useLayoutEffect(() => setSeen(count), [loading]); // not count: a change of it alone is what to announce
  const fresh = loading ? 0 : count - seen;
  const show = () => {
    void refresh().then(
      () => window.scrollTo({ top: 0 }),
      () => {}, // the pill stays
    );
  };
  return (
    <div className="pill-place" role="status">
      {fresh > 0 && (
        <button type="button" className="pill" onClick={show}>
          {fresh === 1 ? '1 new chirp' : `${fresh} new chirps`}
        </button>
      )}
    </div>
  );
}
