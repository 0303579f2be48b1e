import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml'

/** Names and list positions from the top of the file. */
export type ConfigPath = readonly (string | number)[]

export interface ConfigFault {
  /** Like `subscriptions[1].where`; '' for the file as a whole. */
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** One sentence without its full stop. */
  readonly message: string
  /** More lines to show under it: a filter with a caret. */
  readonly detail?: string
}

export interface ConfigDocument {
  readonly value: unknown
  /** A fault at the value of a path, or where its nearest parent is when it is not there. */
  faultAt(path: ConfigPath, message: string, detail?: string): ConfigFault
  /** A fault at the name of a member. */
  faultAtName(path: ConfigPath, message: string): ConfigFault
}

/** Characters of a configuration file at most. */
export const CONFIG_LENGTH_MAX = 4 * 1024 * 1024

/** Reads YAML and keeps where everything stands. Faults of the YAML itself come instead of a document. */
export function parseConfigDocument(text: string): ConfigDocument | readonly ConfigFault[] {
  const whole = (message: string): ConfigFault[] => [{ path: '', line: 1, column: 1, message }]
  if (text.length > CONFIG_LENGTH_MAX)
    return whole(`the file is larger than ${CONFIG_LENGTH_MAX / 1024 / 1024} MB`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0)
    return document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0])
      return { path: '', line, column: col, message: `this is not YAML: ${error.message}` }
    })
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    return whole(`this YAML cannot be used: ${(error as Error).message}`)
  }

  function place(
    path: ConfigPath,
    offset: number | undefined,
    message: string,
    detail?: string,
  ): ConfigFault {
    const { line, col } = lines.linePos(offset ?? 0)
    const shown = { path: showPath(path), line: Math.max(1, line), column: Math.max(1, col), message }
    return detail === undefined ? shown : { ...shown, detail }
  }
  const nodeAt = (path: ConfigPath): Node | undefined =>
    path.length === 0 ? (document.contents ?? undefined) : (document.getIn(path, true) as Node | undefined)

  return {
    value,
    faultAt(path, message, detail) {
      for (let length = path.length; length >= 0; length--) {
        const start = nodeAt(path.slice(0, length))?.range?.[0]
        if (start !== undefined) return place(path, start, message, detail)
      }
      return place(path, 0, message, detail)
    },
    faultAtName(path, message) {
      const parent = nodeAt(path.slice(0, -1))
      const pair = isMap(parent)
        ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path.at(-1))
        : undefined
      const start = pair && isScalar(pair.key) ? pair.key.range?.[0] : undefined
      return place(path, start, message)
    },
  }
}

export function showPath(path: ConfigPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(part)
      if (!plain) return `[${JSON.stringify(part)}]`
      return index === 0 ? part : `.${part}`
    })
    .join('')
}
