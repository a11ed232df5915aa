// Programs that a run starts, and their end: whatever happens, none outlives it.
import { spawn } from 'node:child_process';

const PATIENCE = 60_000; // ms for a program to start or to stop; only one that hangs takes so long
const running = new Map(); // child process → promise of its exit code
let over = false;

// launch starts a program as the head of a group, so that what it starts ends with it.
function launch(command, args, stdin, options) {
  if (over) throw new Error(`${command} is not started any more`);
  return spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'], detached: true, ...options });
}

function track(child) {
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  running.set(child, exited);
  exited.then(() => running.delete(child));
  return exited;
}

/**
 * Starts a program that stays, and waits until it writes a line that matches.
 * Gives the match, what was written so far, and a function that stops the program,
 * by SIGTERM unless another signal is named.
 */
export async function start(command, args, ready, options = {}) {
  const child = launch(command, args, 'pipe', options);
  child.stdin.on('error', () => {}); // it may be gone when the pipe is closed
  const exited = track(child);
  let text = '';
  const match = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${command} did not get ready:\n${text}`)), PATIENCE);
    exited.then((code) => reject(new Error(`${command} ended at once (${code}):\n${text}`)));
    const read = (chunk) => {
      text += chunk;
      const found = ready.exec(text);
      if (!found) return;
      clearTimeout(late);
      resolve(found);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  return { match, log: () => text, stop: (signal) => stop(child, signal) };
}

/**
 * Runs a program to its end, and gives its exit code and what it wrote. One that hangs
 * is killed.
 */
export async function run(command, args, options = {}) {
  const child = launch(command, args, 'ignore', options);
  let text = '';
  const read = (out) => (chunk) => {
    text += chunk;
    out.write(chunk);
  };
  child.stdout.on('data', read(process.stdout));
  child.stderr.on('data', read(process.stderr));
  const late = setTimeout(() => kill(child, 'SIGKILL'), 10 * PATIENCE);
  const code = await track(child);
  clearTimeout(late);
  return { code, text };
}

function kill(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the whole group has ended
  }
}

async function stop(child, signal = 'SIGTERM') {
  const exited = running.get(child);
  if (!exited) return;
  kill(child, signal);
  const late = setTimeout(() => kill(child, 'SIGKILL'), PATIENCE);
  await exited;
  clearTimeout(late);
}

/** Stops all that still runs, the last one started first. Nothing starts afterwards. */
export async function stopAll() {
  over = true;
  for (const child of [...running.keys()].reverse()) await stop(child);
}
