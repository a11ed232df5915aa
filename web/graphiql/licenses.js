import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

// licenses is a plugin that writes the licences of the bundled packages to a file beside
// the bundle, as most of them require.
export function licenses() {
  const packages = new Map();
  return {
    name: 'licenses',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        for (const id of Object.keys(chunk.modules ?? {})) {
          const at = id.lastIndexOf('/node_modules/');
          const name = at >= 0 && id.slice(at + 14).match(/^(@[^/]+\/)?[^/]+/)?.[0];
          if (name) packages.set(name, path.join(id.slice(at > 0 ? 0 : 1, at + 14).replace(/^\0/, ''), name));
        }
      }
      const names = [...packages.keys()].sort();
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: names.map((name) => notice(name, packages.get(name))).join('\n\n') });
    },
  };
}

function notice(name, folder) {
  const { version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const file = existsSync(folder) && readdirSync(folder).sort().find((f) => /^licen[sc]e/i.test(f));
  const text = file ? readFileSync(path.join(folder, file), 'utf8').trim() : '';
  return `=== ${name} ${version} (${license})\n${text}`;
}
