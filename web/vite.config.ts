import { defineConfig } from 'vitest/config';
import { notices } from './notices';

// The server that embeds the build allows nothing inline and nothing from elsewhere,
// so no asset becomes a data: URL and no script is written into the page. The names
// carry a hash of what is in the files: the same sources make the same files.
export default defineConfig({
  esbuild: { jsx: 'automatic', legalComments: 'none' }, // notices has them
  plugins: [notices()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        // What changes seldom is a file of its own, which browsers keep over updates.
        manualChunks: (id) => (id.includes('node_modules') ? 'vendor' : undefined),
      },
    },
  },
  server: { proxy: { '/graphql': { target: process.env.CHIRP_URL ?? 'http://localhost:8080', ws: true } } },
  preview: { proxy: { '/graphql': { target: process.env.CHIRP_URL ?? 'http://localhost:8080', ws: true } } },
  test: { include: ['test/**/*.test.ts'] },
});
