/**
 * Returns a path on this site, as the address bar would read the text, or "/" if the text
 * leads elsewhere. The URL parser decides, because browsers drop tabs and newlines from
 * addresses and take \ for /. A path that begins with // would name another site itself.
 */
export function localPath(text: string | null, origin: string): string {
  if (!text || !URL.canParse(text, origin)) return '/';
  const url = new URL(text, origin);
  if (url.origin !== origin || !/^\/(?!\/)/.test(url.pathname)) return '/'; // the path of a blob: is a whole address
  return url.pathname + url.search + url.hash;
}
