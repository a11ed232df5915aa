import { useApolloClient, useMutation } from '@apollo/client/react';
import type { ApolloCache } from '@apollo/client';
import { useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { newCommandId } from '../api/command';
import { codeOf, explain } from '../api/errors';
import { useFeedChanged } from '../feed/provider';
import { graphql, unmask, type FragmentType } from '../gql';
import { useViewer } from '../viewer';

export const FollowButtonFragment = graphql(`
  fragment FollowButton_user on User {
    id
    username
    followerCount
    viewerFollows
  }
`);

const FollowDocument = graphql(`
  mutation Follow($input: FollowUserInput!) {
    followUser(input: $input) {
      position
      followee {
        id
        followerCount
        viewerFollows
      }
    }
  }
`);

const UnfollowDocument = graphql(`
  mutation Unfollow($input: UnfollowUserInput!) {
    unfollowUser(input: $input) {
      position
      followee {
        id
        followerCount
        viewerFollows
      }
    }
  }
`);

/**
 * Follows and unfollows a user. The page shows the expected result at once; if the server
 * refuses, it reverts and shows why.
 */
export function FollowButton({ user: masked }: { user: FragmentType<typeof FollowButtonFragment> }) {
  const user = unmask(FollowButtonFragment, masked);
  const viewer = useViewer();
  const [, navigate] = useLocation();
  const feedChanged = useFeedChanged();
  const { toggle, error } = useToggle(user, viewer?.id ?? null, feedChanged);
  if (viewer?.id === user.id) return null;
  const follows = user.viewerFollows;
  const press = () => (viewer ? toggle() : navigate(`/login?next=${encodeURIComponent(location.pathname)}`));
  return (
    <span className="follow">
      <button
        type="button"
        className={follows ? 'button follows' : 'button primary'}
        aria-label={follows ? `Following ${user.username}. Press to unfollow` : `Follow ${user.username}`}
        onClick={press}
      >
        <span className="rest">{follows ? 'Following' : 'Follow'}</span>
        {follows && <span className="over">Unfollow</span>}
      </button>
      <span role="alert">{error ? <span className="problem">{explain(error).text}</span> : null}</span>
    </span>
  );
}

interface Followee {
  __typename?: 'User';
  id: string;
  followerCount: number;
  viewerFollows: boolean;
}

function useToggle(user: Followee, viewerId: string | null, feedChanged: () => void) {
  const client = useApolloClient();
  const [follow] = useMutation(FollowDocument);
  const [unfollow] = useMutation(UnfollowDocument);
  const [error, setError] = useState<unknown>(null);
  const busy = useRef(false);
  const toggle = async () => {
    if (busy.current) return; // the response decides what the next press does
    busy.current = true;
    setError(null);
    const input = { userId: user.id, commandId: newCommandId() };
    const change = user.viewerFollows ? -1 : 1;
    const followee = { __typename: 'User' as const, id: user.id, viewerFollows: change > 0, followerCount: Math.max(0, user.followerCount + change) };
    const update = (cache: ApolloCache) => addToFollowing(cache, viewerId, change);
    try {
      if (change > 0) {
        const optimisticResponse = { followUser: { __typename: 'FollowUserPayload' as const, position: '0', followee } };
        await follow({ variables: { input }, optimisticResponse, update });
      } else {
        const optimisticResponse = { unfollowUser: { __typename: 'UnfollowUserPayload' as const, position: '0', followee } };
        await unfollow({ variables: { input }, optimisticResponse, update });
      }
      feedChanged();
    } catch (reason) {
      if (alreadyDone(reason)) {
        setFollows(client.cache, user.id, change > 0);
        feedChanged();
      } else setError(reason);
    } finally {
      busy.current = false;
    }
  };
  return { toggle: () => void toggle(), error };
}

// alreadyDone reports whether the change was made elsewhere, in another tab or on another device.
function alreadyDone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ALREADY_FOLLOWING' || code === 'NOT_FOLLOWING';
}

function setFollows(cache: ApolloCache, userId: string, follows: boolean): void {
  cache.modify({ id: cache.identify({ __typename: 'User', id: userId }), fields: { viewerFollows: () => follows } });
}

function addToFollowing(cache: ApolloCache, viewerId: string | null, change: number): void {
  if (!viewerId) return;
  cache.modify({ id: cache.identify({ __typename: 'User', id: viewerId }), fields: { followingCount: (count: number) => Math.max(0, count + change) } });
}
