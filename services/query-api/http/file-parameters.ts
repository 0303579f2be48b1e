import { CSV_MODES, type CsvMode } from './csv.ts'
import { choiceDeclared, type ParameterDeclarations } from './parameter-declarations.ts'
import { choiceParameter, FORMATS, type Format, type RawQuery } from './request-parameters.ts'

/** What every answer takes that also comes as a file. */
export const FILE_PARAMETERS = {
  format: choiceDeclared('Of the answer.', FORMATS, 'json'),
  csv_mode: choiceDeclared(
    'Whether cells that a spreadsheet would run are defused.',
    CSV_MODES,
    'spreadsheet',
  ),
} satisfies ParameterDeclarations

export interface FileChoice {
  readonly format: Format
  readonly csvMode: CsvMode
}

/** @throws ApiError 400 */
export function readFileChoice(query: RawQuery, format?: Format): FileChoice {
  return {
    format: format ?? choiceParameter(query, 'format', FORMATS, 'json'),
    csvMode: choiceParameter(query, 'csv_mode', CSV_MODES, 'spreadsheet'),
  }
}
