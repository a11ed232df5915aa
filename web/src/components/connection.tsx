import { useConnection, useOnline } from '../session';

const LABELS = {
  idle: null,
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connection lost. Reconnecting…',
};

/** Shows the state of the live connection. */
export function ConnectionState() {
  const connection = useConnection();
  const online = useOnline();
  const state = online ? connection : 'lost';
  const label = online ? LABELS[connection] : 'You are offline';
  return (
    <p className={`connection ${state}`} role="status" data-connection={state}>
      {label && (
        <>
          <span className="dot" aria-hidden="true" />
          {label}
        </>
      )}
    </p>
  );
}
