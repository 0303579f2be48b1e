/**
 * Reads `--key dataset=mr_w_…` options.
 *
 * @throws Error with a sentence saying what to write instead
 */
export function parseDatasetKeys(pairs: readonly string[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const [dataset, key] = [pair.slice(0, equals), pair.slice(equals + 1)]
    // The key itself is never shown: what was typed may be one with the dataset left out.
    if (equals < 1 || key === '')
      throw new Error('A --key has the form <dataset>=<write key>, e.g. shop=mr_w_….')
    if (keys.has(dataset)) throw new Error(`The dataset ${dataset} has two --key options; give one.`)
    keys.set(dataset, key)
  }
  if (keys.size === 0)
    throw new Error('No --key was given. Say --key <dataset>=<write key>, once per dataset.')
  return keys
}

/**
 * The address that events go to.
 *
 * @param text base address of a collector, or the whole of an events route
 * @throws Error with a sentence saying what is wrong
 */
export function eventsUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new Error(`--url is ${JSON.stringify(text)} but must be like http://127.0.0.1:8080.`)
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`--url starts with ${url.protocol} but must start with http: or https:.`)
  if (url.pathname === '/') url.pathname = '/v1/events'
  return url
}
