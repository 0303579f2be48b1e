import { parseSettings } from '../../../services/core/runtime/settings.ts'
import { openFrontEngine } from './front-engine.ts'
import { createFrontServer } from './front-server.ts'
import { FRONT_SETTINGS } from './front-settings.ts'

/** The embedded ClickHouse engine as a process of its own: serves until SIGTERM, then finishes what it began. */
const settings = parseSettings(FRONT_SETTINGS, process.env)
const crash = (error: unknown) => {
  console.error(error)
  process.exit(1)
}
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

const engine = await openFrontEngine(settings.stateDir, settings, crash)
const server = createFrontServer(engine, settings)
server.on('error', crash)
server.listen(settings.port, settings.host, () => console.log(`ClickHouse ${engine.version} serves.`))

const stop = () => {
  server.close(async () => {
    await engine.close()
    process.exit(0)
  })
  server.closeIdleConnections()
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
