import type { FragmentType } from '../gql';
import { ChirpCard, type ChirpCardFragment } from './chirp-card';
import { Endless } from './endless';
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
  /** Loads what comes after a cursor. */
  more(after: string | null | undefined): Promise<unknown>;
}

/** A list of chirps. */
export function ChirpList({ label, page, more }: ListProps<Chirps>) {
  return (
    <Endless label={label} hasMore={page.pageInfo.hasNextPage} more={() => more(page.pageInfo.endCursor)}>
      {page.edges.map(({ node }) => (
        <li key={node.id}>
          <ChirpCard chirp={node} />
        </li>
      ))}
    </Endless>
  );
}

/** A list of users. */
export function UserList({ label, page, more }: ListProps<Users>) {
  return (
    <Endless label={label} hasMore={page.pageInfo.hasNextPage} more={() => more(page.pageInfo.endCursor)}>
      {page.edges.map(({ node }) => (
        <li key={node.id}>
          <UserCard user={node} />
        </li>
      ))}
    </Endless>
  );
}
