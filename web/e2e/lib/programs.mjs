// A server for the browser to talk to, which can be killed and come back.
import { createServer } from 'node:net';
import { start } from '../../../clients/lib/processes.mjs';

const PATIENCE = 60_000; // ms; only a server that hangs takes so long

/** A port that nothing listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A server that can be killed and come back at the same address. */
export class Server {
  constructor(program, flags, port) {
    this.program = program;
    this.flags = [...flags, '--addr', `127.0.0.1:${port}`];
    this.url = `http://127.0.0.1:${port}`;
    this.logs = [];
  }

  async start() {
    this.running = await start(this.program, this.flags, /msg=listening/);
    const late = Date.now() + PATIENCE;
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`);
      if (answer.ok) return;
      if (Date.now() > late) throw new Error(`the server does not get ready: ${await answer.text()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill() {
    await this.running.stop('SIGKILL');
    this.logs.push(this.running.log());
  }

  async stop() {
    await this.running.stop();
    this.logs.push(this.running.log());
    return this.logs.join('').match(/^.*(?:level=ERROR|panic).*$/gm) ?? [];
  }
}
