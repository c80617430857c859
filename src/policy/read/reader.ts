/** Reads the texts of all sources into one set of documents, or tells everything that is wrong with them. */
import type { Described } from '../../config/described.ts';
import { explain, shorten, writePath } from '../../config/explain.ts';
import { toJsonSchema } from '../../config/json-schema.ts';
import type { Problem } from '../../config/load.ts';
import { nearest } from '../../config/nearest.ts';
import { type Place, readYaml, type YamlDocument } from '../../config/yaml-text.ts';
import type { Origin, PolicyDocument } from '../document.ts';
import type { SourceText } from '../sources/source.ts';
import type { PolicyContext } from './context.ts';
import { toPolicy, toPolicyTests } from './documents.ts';
import type { PolicyTestDocument } from './policy-test.ts';
import { apiVersion, policySchema } from './schema.ts';
import { policyTestSchema } from './test-schema.ts';

export type ReadOptions = PolicyContext;

export type ReadOutcome =
  | {
      readonly kind: 'read';
      /** By order, then by name. */
      readonly policies: readonly PolicyDocument[];
      readonly tests: readonly PolicyTestDocument[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const maxTextBytes = 2 ** 20;
const maxDocuments = 10_000;
/** More than anyone mends in one go. */
const maxProblems = 200;

/**
 * Takes YAML 1.2 and JSON, several documents a text; empty documents are skipped. Never throws for bad input: all
 * that is wrong with all texts is told at once, each with its place and how to mend it. What is read survives JSON,
 * where Infinity becomes null, and nothing else is null.
 */
export function readPolicies(texts: readonly SourceText[], options: ReadOptions): ReadOutcome {
  const problems = new Problems();
  const reader = createReader(options, problems);
  for (const text of texts) {
    if (Buffer.byteLength(text.text) > maxTextBytes) {
      problems.add({ where: text.name, path: '', wrong: 'is longer than 1 MiB', fix: 'split it' });
      continue;
    }
    const reading = readYaml(text.text);
    if (reading.kind === 'broken') {
      for (const { wrong, fix, ...place } of reading.faults) {
        problems.add({ where: where(text.name, place), path: '', wrong, fix });
      }
      continue;
    }
    for (const document of reading.documents) {
      if (document.content !== undefined && !reader.read(document, text.name)) return problems.outcome();
    }
  }
  if (!problems.none) return problems.outcome();
  const policies = reader.policies.toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
  return { kind: 'read', policies, tests: reader.tests };
}

/** What is wrong, up to a number that still helps. */
class Problems {
  readonly #shown: Problem[] = [];
  #hidden = 0;

  get none(): boolean {
    return this.#shown.length === 0;
  }

  get full(): boolean {
    return this.#shown.length >= maxProblems;
  }

  add(problem: Problem): void {
    if (this.full) this.#hidden++;
    else this.#shown.push(problem);
  }

  /** Of those that were not even put into words. */
  hide(count: number): void {
    this.#hidden += count;
  }

  outcome(): ReadOutcome {
    if (this.#hidden === 0) return { kind: 'invalid', problems: this.#shown };
    const wrong = `${this.#hidden} more problems are not shown`;
    return {
      kind: 'invalid',
      problems: [...this.#shown, { where: 'policies', path: '', wrong, fix: 'mend these first' }],
    };
  }
}

interface Reader {
  readonly policies: PolicyDocument[];
  readonly tests: PolicyTestDocument[];
  /** False when there are too many to read on. */
  read(document: YamlDocument, source: string): boolean;
}

function createReader(options: ReadOptions, problems: Problems): Reader {
  const schemas = { Policy: policySchema(options), PolicyTest: policyTestSchema };
  const described = new Map<string, Described>();
  const describedAs = (kind: keyof typeof schemas): Described => {
    const known = described.get(kind) ?? toJsonSchema(schemas[kind]);
    described.set(kind, known);
    return known;
  };
  const names = new Map<string, string>();
  const policies: PolicyDocument[] = [];
  const tests: PolicyTestDocument[] = [];
  let count = 0;

  return {
    policies,
    tests,
    read(document, source) {
      const tell = (path: readonly (string | number)[], wrong: string, fix: string): void => {
        problems.add({
          where: where(source, document.place(path, 'value')),
          path: writePath(path),
          wrong,
          fix,
        });
      };
      if (++count > maxDocuments) {
        tell([], `there are more than ${maxDocuments} documents`, 'use fewer, with more in each');
        return false;
      }
      const kind = kindOf(document.content, tell);
      if (kind === undefined) return true;

      const origin: Origin = { source, ...document.place(['metadata', 'name'], 'value') };
      const name = nameOf(document.content);
      if (name !== undefined) {
        const taken = names.get(`${kind} ${name}`);
        if (taken === undefined) names.set(`${kind} ${name}`, where(source, origin));
        else
          tell(
            ['metadata', 'name'],
            `${shorten(name)} is also the name of the ${kind} at ${taken}`,
            'rename one of the two',
          );
      }

      const checked = schemas[kind].safeParse(document.content, { reportInput: true });
      if (!checked.success) {
        const { issues } = checked.error;
        const told = problems.full ? [] : issues.slice(0, maxProblems);
        problems.hide(issues.length - told.length);
        const vocabulary = {
          schema: describedAs(kind),
          reference: 'docs/policies.md',
          written: document.written,
        };
        const findings = explain(told, vocabulary)
          .map((finding) => {
            const { path, atKey, into } = finding;
            return { ...finding, place: document.place(path, atKey ? 'key' : (into ?? 'value')) };
          })
          .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
        for (const { path, wrong, fix, place } of findings) {
          problems.add({ where: where(source, place), path: writePath(path), wrong, fix });
        }
        return true;
      }
      if (checked.data.kind === 'Policy') policies.push(toPolicy(checked.data, origin));
      else {
        const originOf = (index: number): Origin => {
          return { source, ...document.place(['spec', 'tests', index], 'value') };
        };
        tests.push(toPolicyTests(checked.data, origin, originOf));
      }
      return true;
    },
  };
}

type Tell = (path: readonly (string | number)[], wrong: string, fix: string) => void;

/** Looked at first: what is of another kind need not be told all that it lacks to be a policy. */
function kindOf(content: unknown, tell: Tell): 'Policy' | 'PolicyTest' | undefined {
  if (!isMapping(content)) {
    const given = Array.isArray(content) ? 'a list' : shorten(JSON.stringify(content) ?? String(content));
    tell([], `${given} is not a document`, 'write a mapping of apiVersion, kind, metadata and spec');
    return undefined;
  }
  const { apiVersion: version, kind } = content;
  if (version !== apiVersion) {
    const given = shorten(JSON.stringify(version) ?? '');
    const ours =
      typeof version === 'string' && (version.startsWith('sluice') || nearest(version, [apiVersion]));
    const another =
      kind === 'List' ? 'write its items as documents of their own' : 'keep other kinds elsewhere';
    if (version === undefined) tell(['apiVersion'], 'is missing', `write ${apiVersion}`);
    else
      tell(['apiVersion'], `${given} is not ${apiVersion}`, ours ? `did you mean ${apiVersion}?` : another);
    return undefined;
  }
  if (kind === 'Policy' || kind === 'PolicyTest') return kind;
  if (kind === undefined) tell(['kind'], 'is missing', 'write Policy or PolicyTest');
  else {
    const meant = typeof kind === 'string' ? nearest(kind, ['Policy', 'PolicyTest']) : undefined;
    const given = shorten(JSON.stringify(kind) ?? '');
    const fix = meant === undefined ? 'write Policy or PolicyTest' : `did you mean ${meant}?`;
    tell(['kind'], `${given} is not Policy or PolicyTest`, fix);
  }
  return undefined;
}

function nameOf(content: unknown): string | undefined {
  const metadata = isMapping(content) ? content.metadata : undefined;
  const name = isMapping(metadata) ? metadata.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function where(source: string, { line, column }: Place): string {
  return `${source}:${line}:${column}`;
}
