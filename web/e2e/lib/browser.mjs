// A browser in which pages can reach only the server, and whose console errors are
// collected.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Starts the browser. */
export async function launch() {
  return chromium.launch({ executablePath: process.env.CHIRP_TEST_CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/** A visitor: a separate browser context with one page. */
export class Visitor {
  /** What went wrong: console errors, requests to other origins and accessibility violations. */
  problems = [];
  /** While true, network errors are not problems. */
  expectNetworkErrors = false;

  static async open(browser, url, options = {}) {
    const visitor = new Visitor();
    visitor.url = url;
    visitor.context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en', ...options });
    await visitor.context.route(
      (address) => address.origin !== url,
      (route) => {
        visitor.problems.push(`a request to ${route.request().url()}`);
        return route.abort();
      },
    );
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(30_000);
    visitor.page.on('pageerror', (error) => visitor.problems.push(String(error.stack ?? error)));
    visitor.page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (visitor.expectNetworkErrors && /Failed to load resource|WebSocket connection/.test(message.text())) return;
      visitor.problems.push(`console: ${message.text()} (${message.location().url})`);
    });
    return visitor;
  }

  go(path) {
    return this.page.goto(this.url + path);
  }

  async submitEntryForm(form, username, password) {
    await this.go(form);
    await this.page.getByLabel('Name').fill(username);
    await this.page.getByLabel('Password').fill(password);
    await this.page.locator('.entry-form button').click();
    await this.page.getByLabel('Write a chirp').waitFor();
  }

  /** Logs in as a user of the API, without the form. */
  async logInAs(user, path = '/') {
    await this.go('/login');
    await this.page.evaluate((token) => localStorage.setItem('chirp-token', token), user.token);
    await this.go(path);
  }

  /** Routes an operation's requests to a handler, until the returned function is called. */
  async intercept(operation, handler) {
    await this.page.route('**/graphql', (route) => (route.request().postDataJSON()?.operationName === operation ? handler(route) : route.continue()));
    return () => this.page.unrouteAll({ behavior: 'wait' });
  }

  /** Returns the ids of the chirps that a list shows. */
  shownChirps(label) {
    return this.page.getByRole('region', { name: label }).locator('[data-chirp]').evaluateAll((all) => all.map((each) => each.dataset.chirp));
  }

  /** Waits until the live connection is in a state. */
  async connection(state) {
    await this.page.locator(`[data-connection="${state}"]`).waitFor();
  }

  /** Waits until every finite animation has finished. */
  async waitForAnimations() {
    await this.page.evaluate(async () => {
      const ending = () => document.getAnimations().filter((each) => each.playState === 'running' && each.effect.getComputedTiming().endTime < Infinity);
      for (let running; (running = ending()).length > 0; ) await Promise.allSettled(running.map((each) => each.finished));
    });
  }

  /** Audits the page with axe once animations have finished, because text that is fading in has too little contrast. */
  async audit(where) {
    await this.page.evaluate(axe);
    await this.waitForAnimations();
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, help, nodes } of violations) {
      this.problems.push(`axe on ${where}: ${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
    }
  }
}
