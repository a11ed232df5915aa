// What a first visit costs and how it feels: what is sent, when something is to be seen,
// and how much moves.
import { Api } from './lib/api.mjs';
import { Visitor } from './lib/browser.mjs';

const MOST = 150 * 1024; // bytes of a first load, compressed
const SHIFT = 0.1; // what counts as a good layout shift

/** Measures first visits of somebody unknown and of somebody logged in. */
export async function measure(browser, server) {
  const api = new Api(server.url);
  const known = await api.logIn('bob', 'correct horse battery');
  const complaints = [];
  for (const [who, path, person] of [
    ['unknown', '/', null],
    ['logged in', '/', known],
    ['on a profile', '/@ada', known],
  ]) {
    const visitor = await Visitor.come(browser, server.url, { viewport: { width: 390, height: 844 } });
    if (person) await visitor.context.addInitScript((token) => localStorage.setItem('chirp-token', token), person.token);
    const figures = await visit(visitor, path);
    console.log(`a first visit, ${who}: ${JSON.stringify(figures)}`);
    if (figures.bytes > MOST) complaints.push(`a first load has ${figures.bytes} bytes, more than ${MOST}`);
    if (figures.shift > SHIFT) complaints.push(`the layout shifts by ${figures.shift}, more than ${SHIFT}`);
    complaints.push(...visitor.complaints);
    await visitor.context.close();
  }
  return complaints;
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
