import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Health, HealthReport } from './health.ts'
import type { Metrics } from './metrics.ts'

export interface OpsServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz` on a port of its own, apart from anything the public reaches.
 *
 * @param port 0 for any free one
 * @throws Error when the port is taken
 */
export async function startOpsServer(
  host: string,
  port: number,
  health: Health,
  metrics: Metrics,
): Promise<OpsServer> {
  const server = createServer(async (request, response) => {
    const send = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type }).end(body)
    }
    const sendReport = (report: HealthReport) =>
      send(report.ok ? 200 : 503, 'application/json', `${JSON.stringify(report)}\n`)
    if (request.url === '/metrics') return send(200, 'text/plain; version=0.0.4', await metrics.expose())
    if (request.url === '/healthz') return sendReport(health.live())
    if (request.url === '/readyz') return sendReport(health.ready())
    send(404, 'application/json', '{"detail":"Served here: /metrics, /healthz, /readyz."}\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
