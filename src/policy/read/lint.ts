/** What a set of policies may hold and probably does not mean: policies that never decide, parts that never hold. */
import type { Problem } from '../../config/load.ts';
import { bodyIndicesHint } from '../conditions.ts';
import { type PolicyDocument, placeOf } from '../document.ts';
import { namesWith } from '../effects.ts';
import { type Endpoint, endpoints } from '../endpoints.ts';
import { compileGlob } from '../glob.ts';
import { explicitIndex } from '../index-match.ts';
import type { When } from '../when.ts';
import { claimedLimits } from './claim-lint.ts';
import { hasIndices, hasMethod, includes, methodsOf, type Scope, scopeOf } from './inclusion.ts';
import { allGroups } from './match-schema.ts';
import { isOfTable, loosePaths } from './path-lint.ts';

type Finding = Omit<Problem, 'where'>;

/** More than anyone mends in one go. */
const maxFindings = 100;
/** Items compared, at most: a few seconds' worth. Sets that need more are made by programs. */
const maxComparisons = 10_000_000;

/**
 * `policies` come in the order in which they are asked. What is told is so for every request, and no guess.
 * Without `when` nothing is told of what expressions read.
 */
export function lint(policies: readonly PolicyDocument[], when?: When): readonly Problem[] {
  const scopes = policies.map(scopeOf);
  const ordered = misplaced(scopes);
  const deniesDeletions = policies.some(({ match }) => match.effects.includes('delete-index'));
  const problems = scopes.flatMap((scope) => {
    const { document } = scope;
    const own = [
      ...(ordered.get(document) ?? []),
      ...unmatched(meant(scope)),
      ...(deniesDeletions ? [] : otherDeletions(scope)),
      ...trusted(scope),
      ...loosePaths(document),
      ...unlimited(document),
      ...claimedLimits(document, when),
    ];
    return own.map(
      ({ path, wrong, fix }): Problem => ({
        where: placeOf(document.origin),
        path,
        wrong: `policy ${document.name} ${wrong}`,
        fix,
      }),
    );
  });
  if (problems.length <= maxFindings) return problems;
  const hidden = problems.length - maxFindings;
  const more = { path: '', wrong: `${hidden} more findings are not shown`, fix: 'look at these first' };
  return [...problems.slice(0, maxFindings), { where: 'policies', ...more }];
}

/** `b (team-b.yaml:12:9)` */
function called(document: PolicyDocument): string {
  return `${document.name} (${placeOf(document.origin)})`;
}

const knownEndpoints = endpoints.filter(({ group }) => group !== 'unknown');

/** Whether it matches all requests but those to endpoints that no table lists, which most policies leave out. */
function isCatchAll({ parts, reached }: Scope): boolean {
  return parts === 0 && knownEndpoints.every((endpoint) => reached.has(endpoint));
}

/** Policies that an earlier one leaves nothing to decide. */
function misplaced(scopes: readonly Scope[]): ReadonlyMap<PolicyDocument, readonly Finding[]> {
  const found = new Map<PolicyDocument, Finding[]>();
  /** By the policy that matches everything: those after it. */
  const unreached = new Map<Scope, PolicyDocument[]>();
  const deciding: Scope[] = [];
  const catchAlls = new Set<Scope>();
  let comparisons = 0;
  for (const scope of scopes) {
    const { document } = scope;
    // What matches nothing is told so elsewhere.
    const matches = scope.usable.size > 0;
    if (matches && comparisons < maxComparisons) {
      const shadow = deciding.find((wide) => {
        const cost = (wide.parts & ~scope.parts) === 0 ? wide.size * scope.size : 1;
        if (comparisons + cost > maxComparisons) return false;
        comparisons += cost;
        return includes(wide, scope);
      });
      if (shadow !== undefined && catchAlls.has(shadow)) {
        unreached.set(shadow, [...(unreached.get(shadow) ?? []), document]);
      } else if (shadow !== undefined) found.set(document, [shadowedBy(shadow.document)]);
      else if (document.action.kind !== 'allow' && isNotOfUnknown(scope)) {
        const known = knownOf(scope);
        const allowing = deciding.find((wide) => {
          if (wide.document.action.kind !== 'allow' || comparisons > maxComparisons) return false;
          comparisons += (wide.parts & ~scope.parts) === 0 ? wide.size * scope.size : 1;
          return known.usable.size > 0 && includes(wide, known);
        });
        if (allowing !== undefined) found.set(document, [deniesTooLate(document, allowing.document)]);
      } else if (document.action.kind === 'allow' && asksForUnknown(document)) {
        const denying = deciding.find((wide) => {
          if (wide.document.action.kind !== 'deny' || comparisons > maxComparisons) return false;
          comparisons += (wide.parts & ~scope.parts) === 0 ? wide.size * scope.size : 1;
          return includes(wide, unknownOf(scope));
        });
        if (denying !== undefined) found.set(document, [unknownIsDenied(denying.document)]);
      }
    }
    if (document.action.kind === 'audit' || document.when !== undefined) continue;
    deciding.push(scope);
    if (isCatchAll(scope)) catchAlls.add(scope);
  }
  for (const [{ document }, after] of unreached) found.set(document, [leavesNothingTo(after)]);
  return found;
}

function shadowedBy(earlier: PolicyDocument): Finding {
  return {
    path: '',
    wrong: `never decides: policy ${called(earlier)}, which is asked before it, matches all that it matches`,
    fix: `give it a lower order than ${earlier.name}, narrow ${earlier.name}, or remove one of the two`,
  };
}

function leavesNothingTo(after: readonly PolicyDocument[]): Finding {
  const shown = after.slice(0, 5).map(called).join(', ');
  const more = after.length > 5 ? ` and ${after.length - 5} more` : '';
  return {
    path: '',
    wrong: `matches every request, so that what is asked after it never decides: ${shown}${more}`,
    fix: 'give it a higher order than those, or narrow it',
  };
}

/** Whether it names known endpoints, and catches those that no table lists since they may be the same. */
function namesKnown({ match: { endpoints: names, groups, effects } }: PolicyDocument): boolean {
  if (names.includes('unknown') || groups.includes('unknown')) return false;
  return names.length + groups.length + effects.length > 0;
}

/** Where nothing says that unknown endpoints are meant, they are hardly all that is. */
function isNotOfUnknown({ document, parts }: Scope): boolean {
  const { endpoints: names, groups, paths } = document.match;
  if (names.includes('unknown') || groups.includes('unknown')) return false;
  return namesKnown(document) || (parts !== 0 && paths.length === 0);
}

/** Without the endpoints that are caught only since they may be others. */
function meant(scope: Scope): Scope {
  return scope.sense === 'catches' && namesKnown(scope.document) ? knownOf(scope) : scope;
}

function knownOf(scope: Scope): Scope {
  const known = (all: ReadonlySet<Endpoint>) => new Set([...all].filter(({ group }) => group !== 'unknown'));
  return { ...scope, reached: known(scope.reached), usable: known(scope.usable) };
}

function unknownOf(scope: Scope): Scope {
  return { ...scope, usable: new Set([...scope.usable].filter(({ group }) => group === 'unknown')) };
}

/** Whether it is there for what no table lists: by name, or by paths that none of its URLs fits. */
function asksForUnknown({ match: { endpoints: names, groups, paths } }: PolicyDocument): boolean {
  if (names.includes('unknown')) return true;
  // All of the groups are the rest, whatever has been denied before.
  if (groups.includes('unknown')) return groups.length < allGroups.length;
  return names.length === 0 && groups.length === 0 && paths.some((path) => !isOfTable(path));
}

function unknownIsDenied(denying: PolicyDocument): Finding {
  return {
    path: '',
    wrong: `lets in nothing that no table of endpoints lists: policy ${called(denying)}, which is asked before it, denies all of that, since it may be one of its endpoints`,
    fix: `give it a lower order than ${denying.name}, and paths that name what it is for`,
  };
}

function deniesTooLate({ action }: PolicyDocument, allowing: PolicyDocument): Finding {
  const does = action.kind === 'audit' ? 'audits' : 'denies';
  return {
    path: '',
    wrong: `${does} nothing but paths that no table of endpoints lists: policy ${called(allowing)}, which is asked before it, allows the rest`,
    fix: `give it a lower order than ${allowing.name}`,
  };
}

/** A deny of the plain names leaves out the endpoints that delete an index by the way. */
function otherDeletions({ document: { match, action }, usable }: Scope): readonly Finding[] {
  if (action.kind === 'allow' || match.effects.length > 0) return [];
  const at = match.endpoints.findIndex((pattern) => compileGlob(pattern)('indices.delete'));
  if (at === -1) return [];
  const names = new Set([...usable].map(({ name }) => name));
  const others = namesWith('delete-index').filter((name) => !names.has(name));
  const [first] = others.includes('indices.update_aliases') ? ['indices.update_aliases'] : others;
  if (!names.has('indices.delete') || first === undefined) return [];
  const wrong = `asks for indices.delete, and not for ${others.length} other endpoints that can delete an index, such as ${first}`;
  return [
    { path: `spec.match.endpoints[${at}]`, wrong, fix: 'match effects: [delete-index] instead of endpoints' },
  ];
}

/** What of `match` can't hold for any request. */
function unmatched(scope: Scope): readonly Finding[] {
  const { match } = scope.document;
  const found = match.endpoints.flatMap((pattern, at) => {
    const path = `spec.match.endpoints[${at}]`;
    const why = neverUsed(pattern, scope);
    return why === undefined ? [] : [{ path, ...why }];
  });
  // Each of the names has been told of.
  if (scope.usable.size === 0 && found.length > 0) return found;
  if (scope.usable.size > 0 && match.methods.length === 0) return found;
  const able = [...scope.reached].filter((endpoint) => hasIndices(scope.document, endpoint));
  if (able.length === 0) {
    return [...found, { path: 'spec.match.indices', ...withoutIndices([...scope.reached], 'its endpoints') }];
  }
  for (const [at, method] of match.methods.entries()) {
    if (able.some((endpoint) => hasMethod({ methods: [method] }, endpoint))) continue;
    const wrong = `asks for ${method}, with which none of the endpoints that it matches is asked`;
    found.push({ path: `spec.match.methods[${at}]`, wrong, fix: 'remove it, or match other endpoints' });
  }
  return found;
}

/** Why none of the endpoints that a pattern names is ever matched; undefined where some are. */
function neverUsed(pattern: string, { document, reached, usable }: Scope): Omit<Finding, 'path'> | undefined {
  const glob = compileGlob(pattern);
  const named = endpoints.filter(({ name }) => glob(name));
  if (named.some((endpoint) => usable.has(endpoint))) return undefined;
  const inGroup = named.filter((endpoint) => reached.has(endpoint));
  if (inGroup.length === 0) {
    const theirs = [...new Set(named.map(({ group }) => group))].join(', ');
    return {
      wrong: `never matches ${pattern}: it is of group ${theirs}, which match.groups does not list`,
      fix: `add ${theirs} to groups, or remove ${pattern}`,
    };
  }
  const able = inGroup.filter((endpoint) => hasIndices(document, endpoint));
  if (able.length === 0) return withoutIndices(inGroup, pattern);
  const methods = [...new Set(able.flatMap((endpoint) => methodsOf(endpoint)))].join(', ');
  if (able.some((endpoint) => hasMethod(document.match, endpoint))) return undefined;
  return {
    wrong: `never matches ${pattern}: it is asked with ${methods}, which match.methods does not list`,
    fix: `add one of them to methods, or remove ${pattern}`,
  };
}

function withoutIndices(asked: readonly Endpoint[], what: string): Omit<Finding, 'path'> {
  const naming = asked.find(({ group, bodyIndices }) => bodyIndices && group !== 'unknown');
  if (naming !== undefined) {
    return {
      wrong: `never matches ${what}: beside match.indices, bodies that can name other indices are refused`,
      fix: bodyIndicesHint(naming),
    };
  }
  const unknown = asked.some(({ group }) => group === 'unknown');
  return {
    wrong: unknown
      ? `never matches ${what}: beside match.indices, nothing that no table of endpoints lists is let in`
      : `never matches ${what}: no request to it is about indices`,
    fix: 'remove match.indices, or match other endpoints',
  };
}

/** Endpoints that a policy names and whose bodies it trusts, which no setting of a server holds to the URL. */
function trusted({ document: { match, bodyIndices, action }, usable }: Scope): readonly Finding[] {
  if (bodyIndices !== 'trust') return [];
  const loose = new Set(
    [...usable]
      .filter(({ name, bodyIndices }) => bodyIndices && !explicitIndex.has(name))
      .map(({ name }) => name),
  );
  return match.endpoints.flatMap((name, at) => {
    if (!loose.has(name)) return [];
    const wrong = `trusts the body of ${name}, which can name any index: the server does not hold it to the URL`;
    const fix =
      action.kind === 'allow'
        ? `remove ${name}, or match only those who may reach every index`
        : 'remove bodyIndices: trust';
    return [{ path: `spec.match.endpoints[${at}]`, wrong, fix }];
  });
}

/** Limits that do nothing, or all. */
function unlimited({ action, match: { length }, limits }: PolicyDocument): readonly Finding[] {
  const found: Finding[] = [];
  const { queue, bodyBytes } = limits;
  for (const key of ['depth', 'wait'] as const) {
    if (queue?.[key] !== 0) continue;
    const wrong = `has a queue in which nobody waits: its ${key} is 0`;
    found.push({ path: `spec.limits.queue.${key}`, wrong, fix: 'write more than 0, or remove the queue' });
  }
  if (length !== undefined && length.atLeast > bodyBytes) {
    const wrong = `matches bodies of ${length.atLeast} bytes and more, and refuses those of more than ${bodyBytes}`;
    found.push({ path: 'spec.limits.bodyBytes', wrong, fix: 'write more, or write action: deny' });
  }
  if (action.kind === 'deny' && length?.declared && length.atLeast > 0) {
    found.push({
      path: 'spec.match.length',
      wrong: 'lets chunked bodies pass, however long they are: they declare no length',
      fix: 'add declared: false to deny all of them, or set limits.bodyBytes in the policies that allow: it counts',
    });
  }
  return found;
}
