import { defineConfig } from 'vitest/config'

// Browser tests: one at a time, in a real Chromium.
export default defineConfig({
  test: {
    root: 'e2e',
    include: ['*.spec.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
