import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PLANTED_BUGS, plant } from './planted-bugs.ts'

/**
 * Preloaded with `--import`: the module that the bug stands in is changed as it is loaded, so that nothing on the
 * disk is touched and several bugs can be looked for side by side.
 */
export const BUG_VARIABLE = 'MILLRACE_PLANTED_BUG'

const name = process.env[BUG_VARIABLE]
if (name !== undefined) {
  const bug = PLANTED_BUGS.find((each) => each.name === name)
  if (!bug) throw new Error(`There is no planted bug “${name}”.`)
  const place = pathToFileURL(join(import.meta.dirname, '../..', bug.file)).href
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      return url === place ? { ...loaded, source: plant(bug, String(loaded.source)) } : loaded
    },
  })
}
