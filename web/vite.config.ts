import { defineConfig } from 'vitest/config';
import { notices } from './notices';

// The server that embeds the build allows neither inline content nor other origins, so no
// asset becomes a data: URL and no script is inlined into the page. File names contain a
// hash of the content: the same sources produce the same files.
export default defineConfig({
  esbuild: { jsx: 'automatic', legalComments: 'none' }, // notices writes them
  plugins: [notices()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        // What rarely changes is a separate file, which browsers keep cached across updates.
        manualChunks: (id) => (id.includes('node_modules') ? 'vendor' : undefined),
      },
    },
  },
  server: { proxy: { '/graphql': { target: process.env.CHIRP_URL ?? 'http://localhost:8080', ws: true } } },
  preview: { proxy: { '/graphql': { target: process.env.CHIRP_URL ?? 'http://localhost:8080', ws: true } } },
  test: { include: ['test/**/*.test.ts'] },
});
