/** The query API of the demo, and the key of its administrator. */
export interface DemoApi {
  readonly url: string
  readonly adminKey: string
  /** A key that is known to everybody, for the commands that are printed. */
  readonly readKey: string
}

const TEMPLATE = 'e-commerce'
/** Insights of the template that are asked, and how their answers are told. */
const ASKED = [
  { name: 'Buyers', told: trendWords },
  { name: 'Way to a purchase', told: funnelWords },
  { name: 'Returning visitors', told: retentionWords },
] as const
/** Points of an answer that are told. */
const POINTS_MAX = 4
const KEY_LIFE_MS = 24 * 3_600_000

interface Dashboard {
  readonly id: number
  readonly name: string
  readonly tiles:
    | readonly { readonly insight: { readonly id: number; readonly name: string } | null }[]
    | null
}

/**
 * Makes a dashboard as a user would, with a personal key, shares it by a link, and asks three of its insights. A run on
 * a directory that has one already makes another one.
 *
 * @param run  number of the run, for its name
 * @param nowMs epoch ms
 * @returns what to print
 * @throws Error with the API's own words
 */
export async function demoDashboard(api: DemoApi, run: number, nowMs: number): Promise<string> {
  const personal = await call<{ readonly value: string }>(
    api,
    api.adminKey,
    'POST',
    '/api/personal_api_keys',
    {
      label: `demo, run ${run}`,
      scopes: ['dashboard:write', 'insight:write', 'sharing_configuration:write'],
      datasets: ['shop'],
      expires_at: new Date(nowMs + KEY_LIFE_MS).toISOString(),
    },
  )
  const dashboard = await call<Dashboard>(api, personal.value, 'POST', '/api/datasets/shop/dashboards', {
    name: `Shop, run ${run}`,
    use_template: TEMPLATE,
  })
  const path = `/api/datasets/shop/dashboards/${dashboard.id}`
  const sharing = { enabled: true }
  const { share_url: link } = await call<{ readonly share_url: string }>(
    api,
    personal.value,
    'PATCH',
    `${path}/sharing`,
    sharing,
  )
  const lines = [
    `Dashboard ${dashboard.id} (${dashboard.name}) was made from the template ${TEMPLATE}. To look at it: ${link}`,
    'All of its tiles in one call:',
    `  ${curl(api, path)}`,
    'Three of its answers, and what asked for them:',
  ]
  for (const { name, told } of ASKED) {
    const insight = dashboard.tiles?.find((tile) => tile.insight?.name === name)?.insight
    if (!insight) throw new Error(`The template ${TEMPLATE} has no insight ${name}.`)
    const path = `/api/datasets/shop/insights/${insight.id}?from_dashboard=${dashboard.id}`
    const { result } = await call<{ readonly result: unknown }>(api, personal.value, 'GET', path)
    lines.push(`  ${name}: ${told(result)}`, `    ${curl(api, path)}`)
  }
  return `${lines.join('\n')}\n`
}

async function call<T>(
  { url }: DemoApi,
  key: string,
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`The query API refused ${method} ${path}: ${text}`)
  return JSON.parse(text) as T
}

function curl({ url, readKey }: DemoApi, path: string): string {
  return `curl '${url}${path}' -H 'authorization: Bearer ${readKey}'`
}

/** `2026-11-28: 31, 2026-11-29: 40` */
export function trendWords(result: unknown): string {
  const [line] = result as readonly { readonly days: readonly string[]; readonly data: readonly number[] }[]
  const points = (line?.days ?? []).map((day, at) => `${day}: ${line?.data[at]}`)
  return points.slice(-POINTS_MAX).join(', ')
}

/** `product_view 900 → add_to_cart 400 → purchase 300` */
export function funnelWords(result: unknown): string {
  const steps = result as readonly { readonly name: string; readonly count: number }[]
  return steps.map(({ name, count }) => `${name} ${count}`).join(' → ')
}

/** `Day 5: 900, 300 after 1; Day 6: 800`: the last ones who began, and who of them came back after so many days. */
export function retentionWords(result: unknown): string {
  const rows = result as readonly {
    readonly label: string
    readonly values: readonly { readonly count: number }[]
  }[]
  return rows
    .slice(-POINTS_MAX)
    .map(({ label, values: [began, ...later] }) =>
      [`${label}: ${began?.count ?? 0}`, ...later.map(({ count }, at) => `${count} after ${at + 1}`)].join(
        ', ',
      ),
    )
    .join('; ')
}
