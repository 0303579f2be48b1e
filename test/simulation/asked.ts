/** Does a subscription or delivery ask for this event? Reads the only condition of the simulation's configuration. */
export function isAsked(
  value: { readonly [name: string]: unknown },
  datasets: readonly string[],
  where?: string,
): boolean {
  return datasets.includes(String(value.dataset_id)) && (where === undefined || Number(numberOf(value)) >= 2)
}

/** The id that the client knows an event by. */
export function ownIdOf(value: { readonly [name: string]: unknown }): unknown {
  return (value.properties as { id?: unknown } | null | undefined)?.id
}

/** The payload's own number, which tells payloads apart. */
export function numberOf(value: { readonly [name: string]: unknown }): unknown {
  return (value.properties as { n?: unknown } | null | undefined)?.n
}
