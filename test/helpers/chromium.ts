import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Where Chromium is called what, Debian's first. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const MACOS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Path of this machine's Chromium; null when there is none. */
export function chromiumPath(): string | null {
  for (const name of NAMES) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
    if (found.status === 0) return found.stdout.trim()
  }
  return MACOS.find((path) => existsSync(path)) ?? null
}
