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

describe('a paginated list', () => {
  it('appends pages', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('9 8 7 6 | 6');
  });

  it('appends pages after newer edges were inserted at the head', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.cache.updateQuery<{ feed: { edges: object[] } }>({ query: FEED }, (data) => data && { feed: { ...data.feed, edges: [edge(10), ...data.feed.edges] } });
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('10 9 8 7 6 | 6');
  });

  it('starts over with a new first page', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    feed.load(null, 12, 11);
    expect(feed.shown).toBe('12 11 | 11');
  });

  it('leaves no gap when the list was reloaded while a page was loading', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load(null, 20, 19);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('20 19 | 19');
  });

  it('does not change when a page arrives twice', () => {
    const feed = world();
    feed.load(null, 9, 8);
    feed.load('8', 7, 6);
    feed.load('8', 7, 6);
    expect(feed.shown).toBe('9 8 7 6 | 6');
  });
});
