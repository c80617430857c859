/** Schemas as editors and our own messages read them: as the document is written, not as it is read. */
import { z } from 'zod';

/** A JSON Schema (draft 2020-12). */
export function toJsonSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    // zod drops the examples of whatever is transformed, taking them for the outcome; ours are as written.
    override: ({ zodSchema, jsonSchema: described }) => {
      const examples = z.globalRegistry.get(zodSchema)?.examples;
      if (Array.isArray(examples)) described.examples = examples;
    },
  });
}
