import { openSqliteMetadata } from '../../../services/core/metadata/sqlite-metadata.ts'
import { metadataMigrationsContract } from '../../contract/metadata-migrations.ts'
import { metadataStoresContract } from '../../contract/metadata-stores.ts'

const open = async () => openSqliteMetadata(':memory:')

metadataMigrationsContract('SQLite', open)
metadataStoresContract('SQLite', open)
