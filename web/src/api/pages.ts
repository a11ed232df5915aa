import type { FieldPolicy } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';

interface Pages {
  edges: { cursor?: string }[];
}

/**
 * A list that grows page by page. A page that follows a cursor which the list has no
 * more is dropped: the list began anew meanwhile, and there would be a gap between.
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
