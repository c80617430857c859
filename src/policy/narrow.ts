/**
 * Which policies can match at all, found by looking a request's endpoint, indices, principal and source up rather
 * than by asking a thousand policies in turn. It only narrows: whatever it leaves is asked in full.
 */
import { bitsOf, type Condition } from './conditions.ts';
import type { PolicyDocument } from './document.ts';
import { endpoints as allEndpoints } from './endpoints.ts';
import { literalPrefix } from './indices.ts';
import type { Subject } from './subject.ts';

/** A set of policies: bit n of word w is policy 32 w + n. */
export type Candidates = Uint32Array;

export interface Narrowing {
  /** Valid until the next call. */
  candidates(subject: Subject): Candidates;
}

const once = { by: {}, candidates: new Uint32Array() };

/** Takes policies out of `candidates` that can't match. */
type Narrow = (subject: Subject, candidates: Candidates) => void;

interface Compiled {
  readonly document: PolicyDocument;
  readonly conditions: readonly Condition[];
}

export function createNarrowing(policies: readonly Compiled[]): Narrowing {
  const words = Math.ceil(policies.length / 32);
  const candidates = new Uint32Array(words);
  const endpoint = byEndpoint(policies, words);
  const indices = byIndices(policies, words);
  const others = [bySource(policies, words), byPrincipal(policies, words)];
  // Targets outlive sets: what they remember by must not keep a set alive.
  const mark = {};
  return {
    candidates(subject) {
      const { target } = subject;
      // What depends on the target alone is found once for it.
      if (target.narrowed?.by === mark) candidates.set(target.narrowed.candidates);
      else {
        candidates.set(endpoint(subject));
        indices(subject, candidates);
        // Most targets never come again.
        target.narrowed = target.narrowed === undefined ? once : { by: mark, candidates: candidates.slice() };
      }
      for (const narrow of others) {
        if (areFew(candidates)) break;
        narrow(subject, candidates);
      }
      return candidates;
    },
  };
}

/** Asking the few that are left costs less than to narrow them further. */
function areFew(candidates: Candidates): boolean {
  let words = 0;
  for (const word of candidates) if (word !== 0 && ++words > 1) return false;
  return true;
}

/** The first candidate from policy `from` on, or -1. */
export function nextCandidate(candidates: Candidates, from: number): number {
  for (let word = from >> 5; word < candidates.length; word++) {
    const bits = (candidates[word] ?? 0) & (word === from >> 5 ? -1 << (from & 31) : -1);
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits);
  }
  return -1;
}

function add(set: Candidates, policy: number): void {
  set[policy >> 5] = (set[policy >> 5] ?? 0) | (1 << (policy & 31));
}

function emptySet(words: number): Candidates {
  return new Uint32Array(words);
}

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'] as const;

const endpointParts: ReadonlySet<string> = new Set(['methods', 'endpoints', 'groups', 'effects']);

/** Whether an endpoint and a method can match depends on nothing else: found once for each pair, and kept. */
function byEndpoint(policies: readonly Compiled[], words: number): (subject: Subject) => Candidates {
  const asked = policies.map(({ conditions }) => conditions.filter(({ part }) => endpointParts.has(part)));
  const known = allEndpoints.map(() => new Map<string, Candidates>());
  return (subject) => {
    const { endpoint } = subject.match;
    const byMethod = known[endpoint.id];
    // No policy names another method: strangers must not be able to fill memory with their own.
    const method = methods.find((one) => one === subject.head.method) ?? 'another';
    const found = byMethod?.get(method);
    if (found !== undefined) return found;
    const set = emptySet(words);
    for (const [policy, parts] of asked.entries()) {
      if (parts.every((part) => part.holds(subject))) add(set, policy);
    }
    byMethod?.set(method, set);
    return set;
  };
}

/** Policies by the beginnings of what they ask for: an item has to begin as one of them does. */
class Prefixes {
  /** Those without prefixes. */
  readonly always: Candidates;
  readonly #byPrefix = new Map<string, number[]>();
  readonly #scratch: Candidates;
  /** Of the prefixes, ascending; undefined while they are being added. */
  #lengths: readonly number[] | undefined;

  constructor(words: number) {
    this.always = emptySet(words);
    this.#scratch = emptySet(words);
  }

  /** Without prefixes the policy is never ruled out here. */
  add(policy: number, prefixes: readonly string[]): void {
    if (prefixes.length === 0) {
      add(this.always, policy);
      return;
    }
    for (const prefix of prefixes) {
      const policies = this.#byPrefix.get(prefix);
      if (policies === undefined) this.#byPrefix.set(prefix, [policy]);
      else policies.push(policy);
    }
  }

  /** Leaves those that one of `prefixes` begins `text`; undefined leaves those without prefixes, and `kept`. */
  narrow(text: string | undefined, candidates: Candidates, kept = this.always): void {
    if (this.#byPrefix.size === 0) return;
    this.#lengths ??= [...new Set([...this.#byPrefix.keys()].map(({ length }) => length))].sort(
      (a, b) => a - b,
    );
    const scratch = this.#scratch;
    scratch.set(kept);
    if (text !== undefined) {
      for (const length of this.#lengths) {
        if (length > text.length) break;
        for (const policy of this.#byPrefix.get(text.slice(0, length)) ?? []) add(scratch, policy);
      }
    }
    for (let word = 0; word < candidates.length; word++) {
      candidates[word] = (candidates[word] ?? 0) & (scratch[word] ?? 0);
    }
  }
}

function prefixesOf(policies: readonly Compiled[], part: string, words: number): Prefixes {
  const prefixes = new Prefixes(words);
  for (const [policy, { conditions }] of policies.entries()) {
    prefixes.add(policy, conditions.find((condition) => condition.part === part)?.begins ?? []);
  }
  return prefixes;
}

/** A policy can only cover an expression whose first item begins as one of its patterns does. */
function byIndices(policies: readonly Compiled[], words: number): Narrow {
  const prefixes = prefixesOf(policies, 'indices', words);
  // Where the URL names no index, a body that is trusted may.
  const unnamed = prefixes.always.slice();
  for (const [policy, { document }] of policies.entries()) {
    if (document.bodyIndices === 'trust') add(unnamed, policy);
  }
  return ({ indices, match }, candidates) => {
    if (match.indices.length > 0) prefixes.narrow(literalPrefix(indices) ?? '', candidates);
    else if (match.endpoint.bodyIndices) prefixes.narrow('', candidates, unnamed);
    else prefixes.narrow('', candidates);
  };
}

function bySource(policies: readonly Compiled[], words: number): Narrow {
  const prefixes = prefixesOf(policies, 'sources', words);
  return ({ source }, candidates) => prefixes.narrow(bitsOf(source), candidates);
}

/** Of several principals any may be the one that is asked for, so only the usual case, one, is looked up. */
function byPrincipal(policies: readonly Compiled[], words: number): Narrow {
  const prefixes = prefixesOf(policies, 'principals', words);
  return ({ principals }, candidates) => {
    if (principals.length < 2) prefixes.narrow(principals[0]?.name, candidates);
  };
}
