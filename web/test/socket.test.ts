import { ApolloClient, CombinedGraphQLErrors, gql, InMemoryCache } from '@apollo/client';
import type { Client, Sink, SubscribePayload } from 'graphql-ws';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../src/api/errors';
import { liveLink } from '../src/api/socket';

const ADDED = gql('subscription ($after: String) { feedChirpAdded(after: $after) { cursor } }');

/** A stand-in for graphql-ws, which sends the same payload again after a lost connection. */
function fake() {
  const sent: string[] = [];
  let payload: SubscribePayload | undefined;
  let sink: Sink | undefined;
  const client: Pick<Client, 'subscribe'> = {
    subscribe: (given: SubscribePayload, to: Sink) => {
      payload = given;
      sink = to as Sink;
      send();
      return () => {};
    },
  };
  const send = () => sent.push(JSON.stringify(payload!.variables));
  return { client, sent, resend: send, sink: () => sink! };
}

describe('a subscription that resumes', () => {
  it('sends its current cursor after each lost connection', () => {
    const { client, sent, resend } = fake();
    const apollo = new ApolloClient({ link: liveLink(client), cache: new InMemoryCache() });
    let after = '1';
    apollo.subscribe({ query: ADDED, variables: { after }, context: { resume: () => ({ after }) } }).subscribe({});
    after = '5';
    resend();
    expect(sent).toEqual(['{"after":"1"}', '{"after":"5"}']);
  });

  it('passes on a server error with its code', async () => {
    const { client, sink } = fake();
    const apollo = new ApolloClient({ link: liveLink(client), cache: new InMemoryCache() });
    const error = await new Promise((resolve) => {
      apollo.subscribe({ query: ADDED }).subscribe((result) => resolve(result.error));
      sink().error([{ message: 'no', extensions: { code: 'CURSOR_INVALID' } }]);
    });
    expect(CombinedGraphQLErrors.is(error) && codeOf(error)).toBe('CURSOR_INVALID');
  });
});
