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
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning); // "use client" has no effect here
      },
    },
  },
  worker: { format: 'es' },
  plugins: [latinFonts(), licenses()],
});

// latinFonts keeps only the upright Latin fonts of those that GraphiQL's style sheet embeds.
// Other scripts fall back to system fonts, and Monaco brings its own icons.
function latinFonts() {
  return {
    name: 'latin-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('/graphiql/dist/style.css')) return null;
      const keep = (face) => face.includes('U+0000-00FF') && face.includes('font-style: normal');
      return code.replace(/@font-face\s*\{[^}]*\}/g, (face) => (keep(face) ? face : ''));
    },
  };
}
