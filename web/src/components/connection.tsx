import { useConnection, useOnline } from '../session';

const WORDS = {
  idle: null,
  connecting: 'Connecting…',
  live: 'Live',
  lost: 'Connection lost. Reconnecting…',
};

/** Says how the live connection stands. */
export function ConnectionState() {
  const connection = useConnection();
  const online = useOnline();
  const state = online ? connection : 'lost';
  const words = online ? WORDS[connection] : 'You are offline';
  return (
    <p className={`connection ${state}`} role="status" data-connection={state}>
      {words && (
        <>
          <span className="dot" aria-hidden="true" />
          {words}
        </>
      )}
    </p>
  );
}
