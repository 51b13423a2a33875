import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/**
 * Ant Design's scroll lock and its measure of scroll bars inject a style element without the nonce that
 * everything else of it carries, and the content policy refuses that. Their one way to inject is given the
 * page's nonce here; the build fails when a new version of the library has another way.
 */
function nonceForEveryStyle(): Plugin {
  const without = /if \(csp\?\.nonce\) \{\s*styleNode\.nonce = csp\?\.nonce;\s*\}/
  let done = false
  return {
    name: 'nonce-for-every-style',
    apply: 'build',
    transform(code, id) {
      if (!id.endsWith('@rc-component/util/es/Dom/dynamicCSS.js')) return null
      done = without.test(code)
      return code.replace(
        without,
        `styleNode.nonce = csp?.nonce || document.querySelector('meta[property="csp-nonce"]')?.nonce || '';`,
      )
    },
    buildEnd(failure) {
      if (!failure && !done) this.error('the injection of style elements was not found: see nonceForEveryStyle')
    },
  }
}

// The built page is served with `default-src 'none'` and one nonce per response: the server
// replaces the mark below wherever it stands. Names of chunks carry a hash of their content and
// nothing of the machine, so that the same sources give the same bytes.
export default defineConfig({
  plugins: [react(), nonceForEveryStyle()],
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: ['chrome90', 'firefox88', 'safari14', 'edge90'],
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    license: { fileName: 'licences.md' },
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
