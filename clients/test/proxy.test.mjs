// A page on a dev server with another port, whose proxy is configured as in doc/clients.md.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import { createServer } from 'vite';
import WebSocket from 'ws';
import { register, url } from '../lib/chirp.mjs';

// proxied starts a dev server with the config from the document, and returns its origin.
async function proxied(t) {
  const text = readFileSync(new URL('../../doc/clients.md', import.meta.url), 'utf8');
  const [, config] = /```js\n\/\/ vite\.config\.js\n([^]*?)```/.exec(text);
  assert.match(config, /http:\/\/localhost:8080/);
  const root = mkdtempSync(path.join(tmpdir(), 'chirp-proxy-'));
  const configFile = path.join(root, 'vite.config.mjs');
  writeFileSync(configFile, config.replace('http://localhost:8080', new URL(url).origin));
  const server = await createServer({ root, configFile, logLevel: 'error', optimizeDeps: { noDiscovery: true } });
  t.after(async () => {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  });
  await server.listen(0);
  return `http://localhost:${server.httpServer.address().port}`;
}

test('queries, event streams and sockets work through the proxy of a dev server', async (t) => {
  const [origin, user] = [await proxied(t), await register()];
  const headers = { origin, 'content-type': 'application/json', authorization: user.authorization };
  const ask = (query, accept) => fetch(`${origin}/graphql`, { method: 'POST', headers: { ...headers, accept }, body: JSON.stringify({ query }) });

  const { data } = await (await ask('{ viewer { username } }', 'application/json')).json();
  assert.equal(data.viewer.username, user.username);

  const query = `subscription { profileUpdated(userId: "${user.id}") { username } }`;
  const events = await ask(query, 'text/event-stream');
  let read = '';
  for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
    read += chunk;
    if (read.includes(user.username)) break;
  }
  assert.match(read, /event: next\ndata: /);

  class Page extends WebSocket { // sends the origin, as a browser does
    constructor(address, protocols) { super(address, protocols, { origin }); }
  }
  const socket = createClient({ url: `${origin.replace('http', 'ws')}/graphql`, webSocketImpl: Page, connectionParams: { authorization: user.authorization }, retryAttempts: 0 });
  t.after(() => socket.dispose());
  for await (const result of socket.iterate({ query })) {
    assert.equal(result.data.profileUpdated.username, user.username);
    break;
  }
});
