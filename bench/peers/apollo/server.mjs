// Serves a page of a feed with Apollo Server, a DataLoader for the authors, and the
// MongoDB driver, as their documentation advises. It trusts the token, which is the id
// of a user. Arguments: the MongoDB's URI and the database.
import { readFileSync } from 'node:fs';

import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import DataLoader from 'dataloader';
import { GraphQLScalarType } from 'graphql';
import { MongoClient } from 'mongodb';

const [uri, database] = process.argv.slice(2);
const client = await new MongoClient(uri).connect();
const timeline = client.db(database).collection('timeline');
const users = client.db(database).collection('users');

async function loadUsers(ids) {
  const found = await users.find({ _id: { $in: ids } }).toArray();
  const byID = new Map(found.map((user) => [user._id, user]));
  return ids.map((id) => byID.get(id) ?? null);
}

const resolvers = {
  DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (date) => date.toISOString() }),
  Query: {
    async feed(_, { first = 20 }, { viewer }) {
      const entries = await timeline
        .find({ owner: viewer }, { projection: { cursor: 1, chirpId: 1, content: 1, postedAt: 1, authorId: 1 } })
        .sort({ position: -1 })
        .limit(first)
        .toArray();
      return {
        edges: entries.map((entry) => ({ cursor: entry.cursor, node: entry })),
        pageInfo: { hasNextPage: entries.length === first, endCursor: entries.at(-1)?.cursor },
      };
    },
  },
  Chirp: {
    id: (chirp) => chirp.chirpId,
    author: (chirp, _, { authors }) => authors.load(chirp.authorId),
  },
  User: { id: (user) => user._id },
};

const server = new ApolloServer({
  typeDefs: readFileSync(new URL('../schema.graphqls', import.meta.url), 'utf8'),
  resolvers,
});
const { url } = await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: 0 },
  context: async ({ req }) => ({
    viewer: req.headers.authorization?.replace(/^Bearer /, ''),
    authors: new DataLoader(loadUsers),
  }),
});
console.error(`listening url=${url}`);
