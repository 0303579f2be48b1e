import { METADATA_SETTINGS } from '../../services/core/metadata/metadata-settings.ts'
import { openMetadata } from '../../services/core/metadata/open-metadata.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'

// Opens the metadata database as a stage does when it starts, and ends.
const metadata = await openMetadata(parseSettings(METADATA_SETTINGS, process.env))
await metadata.close()
