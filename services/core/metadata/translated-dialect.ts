import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  Kysely,
  QueryResult,
  TransactionSettings,
} from 'kysely'

/** Says what an error of the database means. `committing`: whether it was the answer to a commit. */
export type Translate = (error: unknown, committing: boolean) => unknown

/** The same dialect; whatever its driver rejects with is translated. */
export function translatedDialect(dialect: Dialect, translate: Translate): Dialect {
  return {
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => dialect.createIntrospector(db),
    createDriver: () => new TranslatedDriver(dialect.createDriver(), translate),
  }
}

class TranslatedDriver implements Driver {
  readonly #driver: Driver
  readonly #translate: Translate

  constructor(driver: Driver, translate: Translate) {
    this.#driver = driver
    this.#translate = translate
  }

  init(): Promise<void> {
    return this.#told(() => this.#driver.init())
  }
  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await this.#told(() => this.#driver.acquireConnection())
    return new TranslatedConnection(connection, (error) => this.#translate(error, false))
  }
  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return this.#told(() => this.#driver.beginTransaction(innerOf(connection), settings))
  }
  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return this.#told(() => this.#driver.commitTransaction(innerOf(connection)), true)
  }
  /**
   * What led to the rollback is what is told, not that the rollback failed as well: the connection is gone then, and
   * the database has rolled back by itself.
   */
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#driver.rollbackTransaction(innerOf(connection)).catch(() => {})
  }
  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.#driver.releaseConnection(innerOf(connection))
  }
  destroy(): Promise<void> {
    return this.#driver.destroy()
  }

  async #told<T>(ask: () => Promise<T>, committing = false): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      throw this.#translate(error, committing)
    }
  }
}

class TranslatedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection
  readonly #translate: (error: unknown) => unknown

  constructor(inner: DatabaseConnection, translate: (error: unknown) => unknown) {
    this.inner = inner
    this.#translate = translate
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      return await this.inner.executeQuery<R>(query)
    } catch (error) {
      throw this.#translate(error)
    }
  }
  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    try {
      yield* this.inner.streamQuery<R>(query, chunkSize)
    } catch (error) {
      throw this.#translate(error)
    }
  }
}

function innerOf(connection: DatabaseConnection): DatabaseConnection {
  return (connection as TranslatedConnection).inner
}
