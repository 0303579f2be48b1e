import { createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { signatureFault } from '../../../../services/cli/verify/signature-fault.ts'
import { signContent } from '../../../../services/core/manifest/manifest-signature.ts'
import { SIGNING_KEY } from '../../s3-sink/delivery-world.ts'
import { OTHER_KEY } from '../../s3-sink/hour-manifest.ts'

const signed = (content: object, key = SIGNING_KEY) => JSON.parse(signContent(content, key).toString())
const KEYS = new Map([[SIGNING_KEY.keyId, createPublicKey(SIGNING_KEY.publicPem)]])

test('what was changed after it was signed, or signed by nobody known, is told', () => {
  expect(signatureFault({ ...signed({ rows: 1 }), rows: 2 }, KEYS)).toMatch(/was changed after/)
  expect(signatureFault(signed({ rows: 1 }, OTHER_KEY), KEYS)).toBe(
    `It is signed with key ${OTHER_KEY.keyId}, which is not known here.`,
  )
  expect(signatureFault(signed({ rows: 1 }), KEYS)).toBe(null)
})

test('a key that lies under the name of another is not taken for it', () => {
  const forged = signed({ rows: 1 }, OTHER_KEY)
  forged.signature.key_id = SIGNING_KEY.keyId
  const swapped = new Map([[SIGNING_KEY.keyId, createPublicKey(OTHER_KEY.publicPem)]])
  expect(signatureFault(forged, swapped)).toMatch(/signature is wrong/)
})
