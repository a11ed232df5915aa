// Operations whose variables and results the compiler checks, sent with plain fetch. It
// needs a running server:
//
//	npm ci && npm run typed
//
// codegen.ts configures how the types are generated.
import { graphql } from './gql/gql.js';
import type { TypedDocumentString } from './gql/graphql.js';

const url = process.env.CHIRP_URL ?? 'http://localhost:8080/graphql';

const REGISTER = graphql(`
  mutation Register($input: RegisterUserInput!) { registerUser(input: $input) { user { id username joinedAt } token position } }`);
const POST = graphql(`
  mutation Post($input: PostChirpInput!) { postChirp(input: $input) { chirp { id postedAt } position } }`);
const RECENT = graphql(`
  query Recent($first: Int) { recentChirps(first: $first) { edges { cursor node { content postedAt author { username } } } } }`);

/** Sends an operation and returns its data, which includes everything up to the position `after`. */
async function ask<Data, Variables>(
  document: TypedDocumentString<Data, Variables>, variables: Variables, { token, after }: { token?: string | null; after?: string } = {},
): Promise<Data> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json',
      ...(token && { authorization: `Bearer ${token}` }),
      ...(after && { 'chirp-read-after': after }),
    },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = await response.json() as { data: Data; errors?: { message: string }[] };
  if (errors) throw new Error(errors.map((error) => error.message).join('; '));
  return data;
}

// Root fields are null only if there are errors, and ask throws those.
const username = `typed_${Date.now().toString(36).slice(-6)}`; // so that the example can be run repeatedly
const registered = (await ask(REGISTER, { input: { username, password: 'correct horse battery staple' } })).registerUser!;
const posted = (await ask(POST, { input: { content: 'Types all the way' } }, { token: registered.token })).postChirp!;

const later: boolean = BigInt(posted.position) > BigInt(registered.position);
const age: number = Date.now() - new Date(posted.chirp.postedAt).getTime();
if (!later || !(Math.abs(age) < 60_000)) throw new Error(`posted ${age} ms ago at ${posted.position}, after ${registered.position}`);

const recent = (await ask(RECENT, { first: 5 }, { after: posted.position })).recentChirps!;
const mine = recent.edges.find(({ node }) => node.author.username === username);
if (mine?.node.content !== 'Types all the way') throw new Error('the chirp is not among the recent ones');
console.log(`${username} posted at position ${posted.position}, on ${new Date(mine.node.postedAt).toDateString()}`);
