/** What the proxy hands to the reader of policies: the endpoint table, index patterns and expressions as they are. */
import { endpoints } from '../../src/policy/endpoints.ts';
import { compileIndexPatterns } from '../../src/policy/indices.ts';
import type { PolicyContext } from '../../src/policy/read/context.ts';
import { loadWhen } from '../../src/policy/when.ts';

export async function policyContext(
  clusters: readonly string[] = ['default', 'hot'],
): Promise<PolicyContext> {
  const when = await loadWhen();
  return {
    clusters,
    verifies: undefined,
    endpointNames: endpoints.map(({ name }) => name),
    checkWhen: (source) => when.check(source),
    checkIndices: (pattern) => {
      const compiled = compileIndexPatterns([pattern]);
      return compiled.kind === 'wrong' ? compiled : undefined;
    },
  };
}
