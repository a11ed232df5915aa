import { gql } from '@apollo/client';
import { describe, expect, it } from 'vitest';
import { newCache } from '../src/api/client';

const FEED = gql('query ($after: String) { feed(first: 2, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }');

const edge = (n: number) => ({ __typename: 'ChirpEdge', cursor: String(n), node: { __typename: 'Chirp', id: `chirp_${n}` } });

function world() {
  const cache = newCache();
  return {
    cache,
    load(after: string | null, ...chirps: number[]) {
      const pageInfo = { __typename: 'PageInfo', hasNextPage: true, endCursor: String(chirps.at(-1)) };
      const feed = { __typename: 'ChirpConnection', edges: chirps.map(edge), pageInfo };
      cache.writeQuery({ query: FEED, variables: { after }, data: { feed } });
    },
    get shown() {
      const { feed } = cache.readQuery<{ feed: { edges: { cursor: string }[]; pageInfo: { endCursor: string } } }>({ query: FEED })!;
      return `${feed.edges.map((each) => each.cursor).join(' ')} | ${feed.pageInfo.endCursor}`;
    },
  };
}

describe('pages of a list', () => {
  it('follow each other', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('9 8 7 6 | 6');
  });

  it('follow each other when newer ones were put before them', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.cache.updateQuery<{ feed: { edges: object[] } }>({ query: FEED }, (data) => data && { feed: { ...data.feed, edges: [edge(10), ...data.feed.edges] } });
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('10 9 8 7 6 | 6');
  });

  it('begin anew with a first page', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    feed.load(null, 12, 11);
    expect(feed.shown).toBe('12 11 | 11');
  });

  it('leave no gap when the list began anew while a page was under way', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load(null, 20, 19);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('20 19 | 19');
  });

  it('are the same when a page comes twice', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('9 8 7 6 | 6');
  });
});
