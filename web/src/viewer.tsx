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

const AGAIN = 5_000;

const ViewerContext = createContext<Viewer_UserFragment | null>(null);

/** Loads who is logged in, and keeps their counts up to date. */
export function ViewerProvider({ children }: { children: ReactNode }) {
  const { token, logOut } = useSession();
  const { data, error, refetch } = useQuery(ViewerDocument, { skip: !token });
  const nobody = token !== null && data?.viewer === null; // a good token, but of another store
  useEffect(() => {
    if (nobody) logOut();
  }, [nobody, logOut]);
  useEffect(() => {
    if (!error) return;
    const again = setTimeout(() => void refetch().catch(() => {}), AGAIN); // error has it
    return () => clearTimeout(again);
  }, [error, refetch]);
  const masked: FragmentType<typeof ViewerFragment> | null = (token && data?.viewer) || null;
  const viewer = unmask(ViewerFragment, masked) ?? null;
  useSubscription(ViewerUpdatedDocument, { variables: { userId: viewer?.id ?? '' }, skip: !viewer, ignoreResults: true });
  return <ViewerContext value={viewer}>{children}</ViewerContext>;
}

/** Who is logged in; null for nobody, and until it is known. */
export function useViewer(): Viewer_UserFragment | null {
  return useContext(ViewerContext);
}
