// Measures a first visit: the bytes that are loaded, the time to first paint and the
// layout shift.
import { Api } from './lib/api.mjs';
import { Visitor } from './lib/browser.mjs';
import { NEW_PASSWORD } from './scenario.mjs';

const MAX_BYTES = 150 * 1024; // compressed size of a first load
const MAX_SHIFT = 0.1; // the limit for a good cumulative layout shift

/** Measures first visits by an anonymous visitor and by a logged-in user, and returns the problems. */
export async function measure(browser, server) {
  const api = new Api(server.url);
  const known = await api.logIn('bob', NEW_PASSWORD);
  const problems = [];
  for (const [who, path, user] of [
    ['anonymous', '/', null],
    ['logged in', '/', known],
    ['on a profile', '/@ada', known],
  ]) {
    const visitor = await Visitor.open(browser, server.url, { viewport: { width: 390, height: 844 } });
    if (user) await visitor.context.addInitScript((token) => localStorage.setItem('chirp-token', token), user.token);
    const figures = await visit(visitor, path);
    console.log(`a first visit, ${who}: ${JSON.stringify(figures)}`);
    if (figures.bytes > MAX_BYTES) problems.push(`a first load takes ${figures.bytes} bytes, more than ${MAX_BYTES}`);
    if (figures.shift > MAX_SHIFT) problems.push(`the layout shifts by ${figures.shift}, more than ${MAX_SHIFT}`);
    problems.push(...visitor.problems);
    await visitor.context.close();
  }
  return problems;
}

async function visit(visitor, path) {
  await visitor.context.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await visitor.go(path);
  await visitor.page.locator('[data-chirp]').first().waitFor();
  await visitor.page.waitForTimeout(1_000);
  return visitor.page.evaluate(() => {
    const loads = performance.getEntriesByType('resource').filter((entry) => !entry.name.includes('/graphql'));
    const page = performance.getEntriesByType('navigation')[0];
    return {
      bytes: [page, ...loads].reduce((sum, entry) => sum + entry.encodedBodySize, 0),
      requests: 1 + loads.length,
      firstPaint: Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1),
      shift: Math.round(window.shifts * 1000) / 1000,
    };
  });
}
