import { hash } from 'node:crypto'
import type { Reference } from './enrich.ts'
import { cachedBots } from './enrichments/bot.ts'
import { referrerTable } from './enrichments/referrer.ts'
import { cachedUserAgents } from './enrichments/user-agent.ts'
import type { GeoDatabase } from './geo-database.ts'
import { libraryVersions } from './library-versions.ts'
import { REFERRERS } from './reference/referrers.ts'
import { BOT_NAMES, IN_APP_BROWSERS } from './reference/user-agents.ts'

/** Packages whose version decides what an enrichment or a check says. */
const LIBRARIES = ['ajv', 'bowser', 'isbot', 'tldts'] as const

/** Everything that enrichments look things up in, and what the recipe says about it. */
export interface ReferenceData {
  /** The tables with one version of the geo data. */
  with(geo: GeoDatabase): {
    readonly reference: Reference
    /** Name → hash or version. */
    readonly versions: Readonly<Record<string, string>>
  }
}

/** @param userAgentsMax user agents whose meaning is kept */
export function loadReferenceData(userAgentsMax: number): ReferenceData {
  const tables = {
    referrers: referrerTable(REFERRERS),
    userAgent: cachedUserAgents(userAgentsMax),
    bot: cachedBots(userAgentsMax),
  }
  const versions = {
    ...libraryVersions(LIBRARIES),
    referrers: hash('sha256', JSON.stringify(REFERRERS), 'hex'),
    user_agents: hash('sha256', JSON.stringify([BOT_NAMES, IN_APP_BROWSERS]), 'hex'),
  }
  return {
    with: (geo) => ({
      reference: { ...tables, geo: geo.lookUp },
      versions: { ...versions, geo: geo.hash },
    }),
  }
}
