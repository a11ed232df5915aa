import type { FieldPolicy } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';

interface Pages {
  edges: { cursor?: string }[];
}

/**
 * Returns a field policy for a list that accumulates its pages. It drops a page that
 * follows a cursor no longer in the list: the list was reloaded in the meantime, and
 * appending the page would leave a gap.
 */
export function pages(): FieldPolicy {
  const policy = relayStylePagination();
  const merge = policy.merge as (existing: unknown, incoming: unknown, options: object) => unknown;
  return {
    ...policy,
    merge: (existing: unknown, incoming: unknown, options) => {
      const after = options.args?.after as string | null | undefined;
      const list = existing as Pages | undefined;
      if (after && list && !list.edges.some((edge) => edge.cursor === after)) return existing;
      return merge(existing, incoming, options);
    },
  };
}
