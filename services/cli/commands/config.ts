import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { type ConfigFile, readConfigFile, showConfigFault } from '../config/config-file.ts'
import { configJsonSchema } from '../config/config-schema.ts'
import { REFERENCE_FILE, settingsReference, withReference } from '../config/settings-reference.ts'

export const CONFIG_FILE = 'millrace.yaml'

/** `millrace config …`: what can be said about the configuration without reaching anything. */
export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .description('Check millrace.yaml and describe what can stand in it.')
  config
    .command('check')
    .description('Name everything that is wrong with a configuration file.')
    .argument('[file]', 'the file', CONFIG_FILE)
    .option('--json', 'print the faults as JSON')
    .action((file: string, options: { readonly json?: boolean }) => {
      const checked = readConfig(file)
      process.stdout.write(options.json ? jsonOf(file, checked) : textOf(file, checked))
      if (checked.faults.length > 0) process.exitCode = 1
    })
  config
    .command('schema')
    .description('Print the JSON Schema of the file, for editors.')
    .action(() => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
    })
  config
    .command('reference')
    .description('Print the reference of all settings that processes read from their environment.')
    .option('--write', `put it into ${REFERENCE_FILE}`)
    .action(async (options: { readonly write?: boolean }) => {
      const reference = await settingsReference()
      if (!options.write) process.stdout.write(reference)
      else writeFileSync(REFERENCE_FILE, withReference(readFileSync(REFERENCE_FILE, 'utf8'), reference))
    })
}

/** @throws Error when there is no such file */
export function readConfig(file: string): ConfigFile {
  const folder = dirname(resolve(file))
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file} cannot be read. Name the file, or run this where ${CONFIG_FILE} lies.`, {
      cause: error,
    })
  }
  return readConfigFile(text, (path) => readFileSync(resolve(folder, path), 'utf8'))
}

function textOf(file: string, { records, faults }: ConfigFile): string {
  if (faults.length === 0) return `${file}: no faults, ${records.length} objects.\n`
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return `${faults.map((fault) => showConfigFault(file, fault)).join('\n')}\n${file}: ${count}.\n`
}

function jsonOf(file: string, { records, faults }: ConfigFile): string {
  return `${JSON.stringify({ file, ok: faults.length === 0, objects: records.length, faults }, null, 2)}\n`
}
