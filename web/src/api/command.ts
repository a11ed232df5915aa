/**
 * Returns a new command id. Every attempt at one command sends the same id, so that the
 * server executes it once however often it is retried.
 *
 * It does not use crypto.randomUUID, which browsers offer only to pages served over TLS.
 */
export function newCommandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
}
