import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The built page is served with `default-src 'none'` and one nonce per response: the server
// replaces the mark below wherever it stands. Names of chunks carry a hash of their content and
// nothing of the machine, so that the same sources give the same bytes.
export default defineConfig({
  plugins: [react()],
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: ['chrome90', 'firefox88', 'safari14', 'edge90'],
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      output: {
        hashCharacters: 'hex',
        entryFileNames: 'assets/console-[hash].js',
        chunkFileNames: 'assets/part-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
      onLog(level, log, pass) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') pass(level, log)
      },
    },
  },
  server: {
    port: 5173,
    proxy: {
      '/api': { target: 'http://127.0.0.1:8990', ws: true },
      '/sdk': 'http://127.0.0.1:8990',
    },
  },
  test: { include: ['src/**/*.test.{ts,tsx}'] },
} as Parameters<typeof defineConfig>[0])
