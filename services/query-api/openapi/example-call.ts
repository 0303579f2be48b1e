import type { Route } from '../http/route.ts'

/** The example of a route as somebody types it. */
export function curlOf({ method, path, about, example }: Route): string {
  const address = path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(example.params?.[name] ?? name),
  )
  const query = new URLSearchParams(example.query).toString()
  return [
    'curl',
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    ...(about === 'everybody' ? [] : ['-H "Authorization: Bearer $KEY"']),
    ...(example.body === undefined
      ? []
      : ["-H 'Content-Type: application/json'", `-d ${quoted(example.body)}`]),
    `"$API${address}${query === '' ? '' : `?${query}`}"`,
  ].join(' ')
}

/** For a shell, in single quotes. */
function quoted(body: unknown): string {
  return `'${JSON.stringify(body).replaceAll("'", `'\\''`)}'`
}
