import './workers.js';
import 'graphiql/style.css';
import './style.css';
import { GraphiQL } from 'graphiql';
import { useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { examples } from './examples.js';
import { currentToken, fetcher, setToken, watchToken } from './transport.js';

function TokenField() {
  const token = useSyncExternalStore(watchToken, currentToken);
  return (
    <form className="token" onSubmit={(event) => event.preventDefault()}>
      <strong>Chirp</strong>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        type="text"
        value={token}
        spellCheck={false}
        autoComplete="off"
        placeholder="run Register or LogIn, and the token appears here"
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="button" disabled={token === ''} onClick={() => setToken('')}>
        Forget
      </button>
      <span>{token === '' ? 'You are nobody yet.' : 'Sent with every operation; Authorization in the headers editor goes before it.'}</span>
    </form>
  );
}

createRoot(document.getElementById('root')).render(
  <>
    <TokenField />
    <GraphiQL fetcher={fetcher} defaultTabs={examples} defaultEditorToolsVisibility="variables" />
  </>,
);
