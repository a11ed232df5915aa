import { useQuery, useSubscription } from '@apollo/client/react';
import { createContext, useContext, useEffect, type ReactNode } from 'react';
import { graphql, unmask, type FragmentType } from './gql';
import type { Viewer_UserFragment } from './gql/graphql';
import { useSession } from './session';

const ViewerFragment = graphql(`
  fragment Viewer_user on User {
    id
    username
    followerCount
    followingCount
    chirpCount
  }
`);

const ViewerDocument = graphql(`
  query Viewer {
    viewer {
      id
      ...Viewer_user
    }
  }
`);

const ViewerUpdatedDocument = graphql(`
  subscription ViewerUpdated($userId: ID!) {
    profileUpdated(userId: $userId) {
      id
      ...Viewer_user
    }
  }
`);

const RETRY_DELAY = 5_000; // ms

const ViewerContext = createContext<Viewer_UserFragment | null>(null);

/** Loads the logged-in user, and keeps their counts up to date. */
export function ViewerProvider({ children }: { children: ReactNode }) {
  const { token, logOut } = useSession();
  const { data, error, refetch } = useQuery(ViewerDocument, { skip: !token });
  const unknownUser = token !== null && data?.viewer === null; // the token is valid, but its user is not in this store
  useEffect(() => {
    if (unknownUser) void logOut();
  }, [unknownUser, logOut]);
  useEffect(() => {
    if (!error) return;
    const timer = setTimeout(() => void refetch().catch(() => {}), RETRY_DELAY); // error is set
    return () => clearTimeout(timer);
  }, [error, refetch]);
  const masked: FragmentType<typeof ViewerFragment> | null = (token && data?.viewer) || null;
  const viewer = unmask(ViewerFragment, masked) ?? null;
  useSubscription(ViewerUpdatedDocument, { variables: { userId: viewer?.id ?? '' }, skip: !viewer, ignoreResults: true });
  return <ViewerContext value={viewer}>{children}</ViewerContext>;
}

/** Returns the logged-in user; null if there is none, or until it is loaded. */
export function useViewer(): Viewer_UserFragment | null {
  return useContext(ViewerContext);
}
