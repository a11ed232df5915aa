import { defineConfig } from 'vite';
import { licenses } from './licenses.js';

export default defineConfig({
  base: '/graphiql/',
  esbuild: { jsx: 'automatic', legalComments: 'none' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 4000, // kB; the editor is large
    rollupOptions: {
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning); // "use client" means nothing here
      },
    },
  },
  worker: { format: 'es' },
  plugins: [fewFonts(), licenses()],
});

// GraphiQL's style sheet has its fonts in it, for every script and slant. Those
// for Latin are enough, others look as the system has them; and Monaco brings
// its icons itself.
function fewFonts() {
  return {
    name: 'few-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('/graphiql/dist/style.css')) return null;
      const keep = (face) => face.includes('U+0000-00FF') && face.includes('font-style: normal');
      return code.replace(/@font-face\s*\{[^}]*\}/g, (face) => (keep(face) ? face : ''));
    },
  };
}
