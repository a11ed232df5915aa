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
        placeholder="Run Register or LogIn to get a token"
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="button" disabled={token === ''} onClick={() => setToken('')}>
        Forget
      </button>
      <span>{token === '' ? 'You are not logged in.' : 'Sent with every operation, unless the headers editor sets Authorization.'}</span>
    </form>
  );
}

createRoot(document.getElementById('root')).render(
  <>
    <TokenField />
    <GraphiQL fetcher={fetcher} defaultTabs={examples} defaultEditorToolsVisibility="variables" />
  </>,
);
