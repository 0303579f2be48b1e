import { type Finding, fault, ok, warning } from './check.ts'

const DAY_MS = 86_400_000
/** Address blocks change hands: after half a year a noticeable share of countries is wrong. */
const GEO_AGE_WARNING_DAYS = 180

/** @param builtMs epoch ms of when it was built; null when it is not there */
export function checkGeoFile(path: string, builtMs: number | null, nowMs: number): Finding {
  const name = 'geo file'
  if (builtMs === null)
    return fault(name, `${path} is not there`, 'Set MILLRACE_GEO_MMDB to an MMDB file, or leave it out.')
  const days = Math.floor((nowMs - builtMs) / DAY_MS)
  const detail = `${path} was built ${days} days ago`
  return days > GEO_AGE_WARNING_DAYS
    ? warning(name, detail, 'Replace it with a newer one; the enricher takes it up without a restart.')
    : ok(name, detail)
}
