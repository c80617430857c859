/** What is printed from the schemas: for editors, and for docs/policies.md. */

import { toJsonSchema } from '../../config/json-schema.ts';
import { referenceTable } from '../../config/reference.ts';
import { anyContext } from './context.ts';
import { policySchema } from './schema.ts';
import { policyTestSchema } from './test-schema.ts';

/** The JSON Schema of docs/policy.schema.json: one document of either kind. */
export function policyJsonSchema(): Record<string, unknown> {
  const { $schema, ...policy } = toJsonSchema(policySchema(anyContext));
  const { $schema: _same, ...policyTest } = toJsonSchema(policyTestSchema);
  return {
    $schema,
    title: 'Policies of Sluice, and tests of them',
    anyOf: [policy, policyTest],
  };
}

/** The Markdown tables of docs/policies.md: a policy's, and a test's. */
export function policyTables(): string {
  const tables = [policySchema(anyContext), policyTestSchema].map((schema) =>
    referenceTable(toJsonSchema(schema)),
  );
  return tables.join('\n\n');
}
