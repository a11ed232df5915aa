import type { FragmentType } from '../gql';
import { ChirpCard, type ChirpCardFragment } from './chirp-card';
import { InfiniteList } from './infinite-list';
import { UserCard, type UserCardFragment } from './user-card';

interface Page<Node> {
  edges: { cursor: string; node: Node }[];
  pageInfo: { hasNextPage: boolean; endCursor?: string | null };
}

type Chirps = Page<{ id: string } & FragmentType<typeof ChirpCardFragment>>;
type Users = Page<{ id: string } & FragmentType<typeof UserCardFragment>>;

interface ListProps<P> {
  label: string;
  page: P;
  /** Loads the page after a cursor. */
  more(after: string | null | undefined): Promise<unknown>;
}

/** A list of chirps. */
export function ChirpList({ label, page, more }: ListProps<Chirps>) {
  return (
    <InfiniteList label={label} hasMore={page.pageInfo.hasNextPage} more={() => more(page.pageInfo.endCursor)}>
      {page.edges.map(({ node }) => (
        <li key={node.id}>
          <ChirpCard chirp={node} />
        </li>
      ))}
    </InfiniteList>
  );
}

/** A list of users. */
export function UserList({ label, page, more }: ListProps<Users>) {
  return (
    <InfiniteList label={label} hasMore={page.pageInfo.hasNextPage} more={() => more(page.pageInfo.endCursor)}>
      {page.edges.map(({ node }) => (
        <li key={node.id}>
          <UserCard user={node} />
        </li>
      ))}
    </InfiniteList>
  );
}
