/** Texts to a set of documents that may be put into effect: their shapes, their safety, and what is worth a look. */
import { formatProblem, type Problem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';
import { endpoints } from '../endpoints.ts';
import { compileIndexPatterns } from '../indices.ts';
import type { SourceText } from '../sources/source.ts';
import type { Reading } from '../store.ts';
import type { Surroundings } from '../surroundings.ts';
import { loadWhen, type When } from '../when.ts';
import type { PolicyContext, Wrong } from './context.ts';
import { lint } from './lint.ts';
import type { PolicyTestDocument } from './policy-test.ts';
import { readPolicies } from './reader.ts';
import { tooManySearches, unsafe } from './safety.ts';
import { looseExpressions } from './when-lint.ts';
import { unsafeTogether } from './when-together.ts';

export type SetReading =
  | {
      readonly kind: 'read';
      readonly policies: readonly PolicyDocument[];
      readonly tests: readonly PolicyTestDocument[];
      /** What is allowed and probably not meant. */
      readonly warnings: readonly Problem[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

export async function readSet(texts: readonly SourceText[], surroundings: Surroundings): Promise<SetReading> {
  const when = await loadWhen();
  const read = readPolicies(texts, contextOf(surroundings, when));
  if (read.kind === 'invalid') return read;
  const { policies, tests } = read;
  const problems = [
    ...policies.flatMap((policy) => unsafe(policy, when)),
    ...unsafeTogether(policies, when),
    ...tooManySearches(policies),
  ];
  if (problems.length > 0) return { kind: 'invalid', problems };
  return {
    kind: 'read',
    policies,
    tests,
    warnings: [...lint(policies, when), ...looseExpressions(policies, when)],
  };
}

function contextOf(surroundings: Surroundings, when: When): PolicyContext {
  return {
    ...surroundings,
    endpointNames: endpoints.map(({ name }) => name),
    checkWhen: (source) => when.check(source),
    checkIndices(pattern): Wrong | undefined {
      const compiled = compileIndexPatterns([pattern]);
      return compiled.kind === 'wrong' ? compiled : undefined;
    },
  };
}

/** For the proxy, which shows problems and does not sort them. */
export function toReading(reading: SetReading): Reading {
  if (reading.kind === 'read') {
    return { kind: 'read', documents: reading.policies, warnings: reading.warnings.map(formatProblem) };
  }
  return {
    kind: 'invalid',
    problems: reading.problems.map((problem) => ({
      source: problem.where.replace(/:\d+:\d+$/, ''),
      message: formatProblem(problem),
    })),
  };
}
