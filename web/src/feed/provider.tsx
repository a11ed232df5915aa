import { useApolloClient, useQuery } from '@apollo/client/react';
import type { ApolloClient } from '@apollo/client';
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from 'react';
import { codeOf } from '../api/errors';
import { graphql } from '../gql';
import type { FeedQuery } from '../gql/graphql';
import { useChirp } from '../session';
import { LiveFeed, type FeedSource } from './live-feed';

const PAGE = 20;
const MAX_PAGE = 100; // the largest page that the server returns

const FeedDocument = graphql(`
  query Feed($first: Int!, $after: String) {
    feed(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          ...ChirpCard_chirp
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`);

const FeedAddedDocument = graphql(`
  subscription FeedAdded($after: String) {
    feedChirpAdded(after: $after) {
      cursor
      node {
        id
        ...ChirpCard_chirp
      }
    }
  }
`);

/** An edge of the feed. */
export type Edge = NonNullable<FeedQuery['feed']>['edges'][number];

const FIRST_PAGE = { query: FeedDocument, variables: { first: PAGE } };

// feedSource connects the live feed to the cache, which holds the list.
function feedSource(client: ApolloClient): FeedSource<Edge> {
  return {
    shown: () => client.cache.readQuery(FIRST_PAGE)?.feed?.edges ?? [],
    prepend: (edges) => {
      client.cache.updateQuery(FIRST_PAGE, (data) => data?.feed && { ...data, feed: { ...data.feed, edges: [...edges, ...data.feed.edges] } });
    },
    reload: async () => {
      // Loads about as many as before, so that a reader who has scrolled keeps their place.
      const length = client.cache.readQuery(FIRST_PAGE)?.feed?.edges.length ?? 0;
      const first = Math.min(Math.max(length, PAGE), MAX_PAGE);
      await client.query({ query: FeedDocument, variables: { first }, fetchPolicy: 'network-only' });
    },
    watch: (after, sink) => {
      const resume = () => ({ after: after() });
      const added = client.subscribe({ query: FeedAddedDocument, variables: resume(), context: { resume }, fetchPolicy: 'no-cache' });
      let ended = false; // an error arrives as a result and is followed by completion
      const end = (error?: unknown) => {
        if (!ended) sink.ended(codeOf(error) === 'CURSOR_INVALID');
        ended = true;
      };
      const subscription = added.subscribe({
        next: ({ data, error }) => {
          if (data?.feedChirpAdded) sink.next(data.feedChirpAdded);
          else if (error) end(error);
        },
        error: end,
        complete: end,
      });
      return () => subscription.unsubscribe();
    },
  };
}

const LiveFeedContext = createContext<LiveFeed<Edge> | null>(null);

/**
 * Holds the feed while a user is logged in. It wraps the pages, so that chirps that arrive
 * while another page is open are not lost.
 */
export function FeedProvider({ children }: { children: ReactNode }) {
  const client = useApolloClient();
  const { socket } = useChirp();
  const live = useMemo(() => new LiveFeed(feedSource(client)), [client]);
  const { data } = useQuery(FeedDocument, { variables: FIRST_PAGE.variables });
  const loaded = Boolean(data?.feed);
  useEffect(() => {
    if (!loaded) return;
    live.start();
    const unlisten = socket.listen(() => {
      if (socket.state === 'live') live.connected();
    });
    return () => {
      unlisten();
      live.stop();
    };
  }, [live, socket, loaded]);
  return <LiveFeedContext value={live}>{children}</LiveFeedContext>;
}

/** Returns a function to call when the viewer has followed or unfollowed a user. */
export function useFeedChanged(): () => void {
  const live = useContext(LiveFeedContext);
  return () => void live?.restart();
}

/** Returns the feed's list and its controls. */
export function useFeed() {
  const live = useContext(LiveFeedContext);
  if (!live) throw new Error('useFeed needs a FeedProvider');
  const waiting = useSyncExternalStore(live.listen, () => live.count);
  const query = useQuery(FeedDocument, { variables: FIRST_PAGE.variables });
  return { ...query, waiting, show: () => live.show(), restart: () => live.restart() };
}
