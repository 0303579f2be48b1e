import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTemplate, type Template } from './dashboard-template.ts'

const DIRECTORY = join(import.meta.dirname, 'templates')

/** Templates that come with the product, by the names of their files. Read once, when the first of them is asked for. */
export function builtInTemplates(): ReadonlyMap<string, Template> {
  found ??= new Map(
    readdirSync(DIRECTORY)
      .filter((file) => file.endsWith('.json'))
      .toSorted()
      .map((file) => [
        file.replace(/\.json$/, ''),
        readTemplate(JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8'))),
      ]),
  )
  return found
}

let found: ReadonlyMap<string, Template> | null = null
