import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vite';

const FOLDER = 'node_modules/';

/** Writes the licences of the bundled packages to a file beside the bundle, as they require. */
export function notices(): Plugin {
  return {
    name: 'notices',
    generateBundle(_, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const id of Object.keys(chunk.modules)) {
          const folder = packageOf(id);
          if (folder) folders.add(folder);
        }
      }
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: [...folders].map(notice).sort().join('\n\n') });
    },
  };
}

// packageOf returns the folder of the package that a module belongs to, or null if it is in
// none. Modules that the bundler generates have a null byte before their path or a question
// mark after it.
function packageOf(id: string): string | null {
  const at = id.lastIndexOf(FOLDER);
  if (at < 0) return null;
  const name = /^(@[^/]+\/)?[^/?]+/.exec(id.slice(at + FOLDER.length))![0];
  return id.slice(0, at + FOLDER.length).replaceAll('\0', '') + name;
}

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const files = readdirSync(folder).filter((file) => /^(licen[sc]e|copyright|notice)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(path.join(folder, file), 'utf8').trim());
  return [`--- ${name} ${version} (${license})`, ...texts].join('\n\n');
}
