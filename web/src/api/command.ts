/**
 * A new id for a command. Every attempt at the same thing sends the same id, so that it
 * happens once however often it is tried.
 *
 * It does not use crypto.randomUUID, which browsers keep from pages without TLS.
 */
export function newCommandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
}
