// Starts and stops programs. Whatever happens, none outlives the run.
import { spawn } from 'node:child_process';

const TIMEOUT = 60_000; // ms for a program to start or stop; only one that hangs takes that long
const running = new Map(); // child process → promise of its exit code
let stopped = false;

// launch starts a program as the leader of a process group, so that its children end with it.
function launch(command, args, stdin, options) {
  if (stopped) throw new Error(`cannot start ${command} after stopAll`);
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
 * Starts a long-running program, and waits until its output matches. Returns the match, a
 * function that returns the output so far, and a function that stops the program with a
 * signal, by default SIGTERM.
 */
export async function start(command, args, ready, options = {}) {
  const child = launch(command, args, 'pipe', options);
  child.stdin.on('error', () => {}); // it may be gone when the pipe is closed
  const exited = track(child);
  let text = '';
  const match = await new Promise((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`${command} did not become ready:\n${text}`)), TIMEOUT);
    exited.then((code) => reject(new Error(`${command} exited before it was ready (${code}):\n${text}`)));
    const read = (chunk) => {
      text += chunk;
      const found = ready.exec(text);
      if (!found) return;
      clearTimeout(timeout);
      resolve(found);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  return { match, log: () => text, stop: (signal) => stop(child, signal) };
}

/**
 * Runs a program until it exits, and returns its exit code and output. A program that hangs
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
  const timeout = setTimeout(() => kill(child, 'SIGKILL'), 10 * TIMEOUT);
  const code = await track(child);
  clearTimeout(timeout);
  return { code, text };
}

function kill(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the whole process group has already exited
  }
}

async function stop(child, signal = 'SIGTERM') {
  const exited = running.get(child);
  if (!exited) return;
  kill(child, signal);
  const timeout = setTimeout(() => kill(child, 'SIGKILL'), TIMEOUT);
  await exited;
  clearTimeout(timeout);
}

/** Stops all running programs, the last started first. No program can be started afterwards. */
export async function stopAll() {
  stopped = true;
  for (const child of [...running.keys()].reverse()) await stop(child);
}
