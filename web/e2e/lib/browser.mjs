// A browser that lets no page reach anything but the server, and hears what they
// complain of.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Starts the browser. */
export async function open() {
  return chromium.launch({ executablePath: process.env.CHIRP_TEST_CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/** A visitor: a browser context of its own, with one page. */
export class Visitor {
  /** What went wrong: errors on the console, and requests to others. */
  complaints = [];
  /** While true, a server that is away is no complaint. */
  lenient = false;

  static async come(browser, url, options = {}) {
    const visitor = new Visitor();
    visitor.url = url;
    visitor.context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en', ...options });
    await visitor.context.route(
      (address) => address.origin !== url,
      (route) => {
        visitor.complaints.push(`a request to ${route.request().url()}`);
        return route.abort();
      },
    );
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(30_000);
    visitor.page.on('pageerror', (error) => visitor.complaints.push(String(error.stack ?? error)));
    visitor.page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (visitor.lenient && /Failed to load resource|WebSocket connection/.test(message.text())) return;
      visitor.complaints.push(`console: ${message.text()} (${message.location().url})`);
    });
    return visitor;
  }

  go(path) {
    return this.page.goto(this.url + path);
  }

  async enter(form, username, password) {
    await this.go(form);
    await this.page.getByLabel('Name').fill(username);
    await this.page.getByLabel('Password').fill(password);
    await this.page.locator('.entry-form button').click();
    await this.page.getByLabel('Write a chirp').waitFor();
  }

  /** Takes over somebody's session without the form. */
  async become(person, path = '/') {
    await this.go('/login');
    await this.page.evaluate((token) => localStorage.setItem('chirp-token', token), person.token);
    await this.go(path);
  }

  /** Has an operation's requests dealt with in another way, until the function it gives is called. */
  async intercept(operation, act) {
    await this.page.route('**/graphql', (route) => (route.request().postDataJSON()?.operationName === operation ? act(route) : route.continue()));
    return () => this.page.unrouteAll({ behavior: 'wait' });
  }

  /** The ids of the chirps that a list shows. */
  shown(label) {
    return this.page.getByRole('region', { name: label }).locator('[data-chirp]').evaluateAll((all) => all.map((each) => each.dataset.chirp));
  }

  /** Waits until the live connection stands as it should. */
  async connection(state) {
    await this.page.locator(`[data-connection="${state}"]`).waitFor();
  }

  /** Waits until every animation that has an end has reached it. */
  async still() {
    await this.page.evaluate(async () => {
      const ending = () => document.getAnimations().filter((each) => each.playState === 'running' && each.effect.getComputedTiming().endTime < Infinity);
      for (let running; (running = ending()).length > 0; ) await Promise.allSettled(running.map((each) => each.finished));
    });
  }

  /** What axe finds wrong with the page once it is still: text that fades in has too little contrast until it is there. */
  async audit(where) {
    await this.page.evaluate(axe);
    await this.still();
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, help, nodes } of violations) {
      this.complaints.push(`axe on ${where}: ${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
    }
  }
}
