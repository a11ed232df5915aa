// Appends events to the event store of Emmett on MongoDB, each to a stream of its own,
// as durably as Chirp does: acknowledged by a majority, and journaled. It prints how
// long each append took, as bench/peers/work.go reads it. Arguments: the MongoDB's URI, the
// database, the number of appends in flight, and the seconds.
import { randomUUID } from 'node:crypto';
import process from 'node:process';

import { getMongoDBEventStore, toStreamName } from '@event-driven-io/emmett-mongodb';
import { MongoClient } from 'mongodb';

const [uri, database, clients, seconds] = process.argv.slice(2);
const client = await new MongoClient(uri, { writeConcern: { w: 'majority', j: true } }).connect();
const store = getMongoDBEventStore({ client, storage: { type: 'COLLECTION_PER_STREAM_TYPE', databaseName: database } });

function append() {
  const id = randomUUID();
  return store.appendToStream(toStreamName('chirp', id), [
    {
      type: 'ChirpPosted',
      data: { chirpId: id, authorId: id, content: 'What a chirp says in the middle of a measurement is about this long.' },
      metadata: { actor: id, commandId: id, recordedAt: new Date() },
    },
  ]);
}

async function run(span, calls) {
  const until = performance.now() + span;
  const worker = async () => {
    for (let began = performance.now(); began < until; ) {
      await append();
      const ended = performance.now();
      calls.push(Math.round((ended - began) * 1000));
      began = ended;
    }
  };
  await Promise.all(Array.from({ length: Number(clients) }, worker));
}

await run(500, []); // connections and compiled code are warm from here on
const calls = [];
const began = performance.now();
const before = process.cpuUsage();
await run(Number(seconds) * 1000, calls);
const used = process.cpuUsage(before);
console.log(JSON.stringify({ Took: (performance.now() - began) / 1000, CPU: (used.user + used.system) / 1e6, Calls: calls }));
await client.close();
