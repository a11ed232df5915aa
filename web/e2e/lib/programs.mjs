// The server that the browser talks to, which the scenario kills and restarts.
import { createServer } from 'node:net';
import { start } from '../../../clients/lib/processes.mjs';

const TIMEOUT = 60_000; // ms; only a server that hangs takes that long

/** Returns a port that nothing listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A server that can be killed and restarted at the same address. */
export class Server {
  constructor(program, flags, port) {
    this.program = program;
    this.flags = [...flags, '--addr', `127.0.0.1:${port}`];
    this.url = `http://127.0.0.1:${port}`;
    this.logs = [];
  }

  async start() {
    this.running = await start(this.program, this.flags, /msg=listening/);
    const deadline = Date.now() + TIMEOUT;
    for (;;) {
      const response = await fetch(`${this.url}/readyz`);
      if (response.ok) return;
      if (Date.now() > deadline) throw new Error(`the server did not become ready: ${await response.text()}`);
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
