import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { ClientEvent } from '../../../schemas/raw-event/v1.ts'
import type { AccessLogLine } from './access-log-line.ts'

/**
 * A request in a log as an event of the native protocol. Depends on the line and the site alone: importing it again
 * gives the same event.
 *
 * A log names nobody: who asked is the user of HTTP authentication where there was one, else a hash of address and
 * user agent, which is how log analysers tell visitors apart.
 *
 * @param site origin of the site whose log it is, without a slash at the end
 */
export function logLineEvent(line: AccessLogLine, site: string): ClientEvent {
  const visitor = createHash('sha256')
    .update(`${line.remoteHost}\0${line.userAgent ?? ''}`)
    .digest('hex')
    .slice(0, 24)
  const isAddress = isIP(line.remoteHost) !== 0
  return {
    event: 'page_view',
    distinct_id: line.remoteUser ?? `visitor-${visitor}`,
    anonymous_id: `visitor-${visitor}`,
    ...(line.remoteUser === null ? {} : { user_id: line.remoteUser }),
    timestamp: new Date(line.timeMs).toISOString(),
    properties: {
      method: line.method,
      status: line.status,
      response_bytes: line.responseBytes,
      http_version: line.httpVersion,
      ...(isAddress ? {} : { remote_host: line.remoteHost }),
    },
    context: {
      page: {
        url: /^https?:\/\//i.test(line.target)
          ? line.target
          : `${site}${line.target.startsWith('/') ? '' : '/'}${line.target}`,
        ...(line.referrer === null ? {} : { referrer: line.referrer }),
      },
      library: { name: 'access_log', version: '1' },
      ...(isAddress ? { ip: line.remoteHost } : {}),
      ...(line.userAgent === null ? {} : { userAgent: line.userAgent }),
    },
  }
}
