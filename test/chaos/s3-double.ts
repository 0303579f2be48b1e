import { type HttpAnswer, type HttpFault, openHttpDouble } from './http-double.ts'

/** What an object store may do to one request. */
export type S3Fault =
  /** It answers by itself and does nothing: 503 SlowDown, 500 InternalError, 409 ConditionalRequestConflict, 403 ExpiredToken. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** 200 with an error for a body; nothing is carried out. */
  | { readonly kind: 'error_body'; readonly code: string }
  | Extract<HttpFault, { kind: 'stall' | 'cut' | 'flip' }>

export interface S3FaultPlan {
  readonly fault: S3Fault
  /** Share of the requests it meets, in (0, 1]. */
  readonly probability: number
  /** Methods it meets. */
  readonly methods: readonly string[]
}

export interface S3Double {
  readonly port: number
  /** How often each kind of fault (a refusal by its code) was inflicted since the start. */
  readonly inflicted: ReadonlyMap<string, number>
  setFaults(plans: readonly S3FaultPlan[]): void
  close(): Promise<void>
}

/**
 * Stands before a real S3 server.
 *
 * @param random in [0, 1)
 */
export async function openS3Double(
  port: number,
  targetPort: number,
  random: () => number,
): Promise<S3Double> {
  const double = await openHttpDouble(port, targetPort, random)
  return {
    ...double,
    setFaults: (plans) =>
      double.setFaults(
        plans.map(({ fault, probability, methods }) => ({
          name: fault.kind === 'refuse' ? fault.code : fault.kind,
          fault: httpFault(fault),
          probability,
          meets: ({ method = '' }) => methods.includes(method),
        })),
      ),
  }
}

function httpFault(fault: S3Fault): HttpFault {
  if (fault.kind === 'refuse') return { kind: 'answer', answer: errorXml(fault.status, fault.code) }
  if (fault.kind === 'error_body') return { kind: 'answer', answer: errorXml(200, fault.code) }
  return fault
}

function errorXml(status: number, code: string): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Told to.</Message></Error>`,
  }
}
