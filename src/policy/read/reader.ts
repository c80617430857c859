/** Reads the texts of all sources into one set of documents, or tells everything that is wrong with them. */
import type { Described } from '../../config/described.ts';
import { explain } from '../../config/explain.ts';
import { toJsonSchema } from '../../config/json-schema.ts';
import type { Problem } from '../../config/load.ts';
import { type Path, writePath } from '../../config/path.ts';
import { type Place, readYaml, type YamlDocument } from '../../config/yaml-text.ts';
import { type Origin, type PolicyDocument, placeOf } from '../document.ts';
import type { SourceText } from '../sources/source.ts';
import { countItems, maxItems, maxSetItems } from './bounds.ts';
import type { PolicyContext } from './context.ts';
import { toPolicy, toPolicyTests } from './documents.ts';
import { type Kind, kindOf, nameOf } from './kind.ts';
import type { PolicyTestDocument } from './policy-test.ts';
import { maxProblems, Problems } from './problems.ts';
import { policySchema } from './schema.ts';
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

/**
 * Takes YAML 1.2 and JSON, several documents a text; empty documents are skipped. Never throws for bad input: all
 * that is wrong with all texts is told at once, each with its place and how to mend it. The policies survive JSON,
 * where Infinity becomes null, and nothing else is null.
 */
export function readPolicies(texts: readonly SourceText[], options: ReadOptions): ReadOutcome {
  const reader = new SetReader(options);
  for (const text of texts) reader.read(text);
  return reader.outcome();
}

class SetReader {
  readonly #schemas: {
    readonly Policy: ReturnType<typeof policySchema>;
    readonly PolicyTest: typeof policyTestSchema;
  };
  readonly #described = new Map<Kind, Described>();
  /** By kind and name, where it stands. */
  readonly #names = new Map<string, string>();
  readonly #policies: PolicyDocument[] = [];
  readonly #tests: PolicyTestDocument[] = [];
  readonly #problems = new Problems();
  #documents = 0;
  /** Of all lists of policies. */
  #items = 0;

  constructor(options: ReadOptions) {
    this.#schemas = { Policy: policySchema(options), PolicyTest: policyTestSchema };
  }

  read({ name, text }: SourceText): void {
    if (this.#items > maxSetItems) return;
    if (Buffer.byteLength(text) > maxTextBytes) {
      this.#problems.add({ where: name, path: '', wrong: 'is longer than 1 MiB', fix: 'split it' });
      return;
    }
    const reading = readYaml(text);
    if (reading.kind === 'broken') {
      for (const { wrong, fix, ...place } of reading.faults) {
        this.#problems.add({ where: where(name, place), path: '', wrong, fix });
      }
      return;
    }
    for (const document of reading.documents) {
      if (document.content === undefined) continue;
      if (this.#documents++ < maxDocuments) this.#readDocument(document, name);
      else if (this.#documents === maxDocuments + 1) {
        const wrong = `there are more than ${maxDocuments} documents`;
        this.#problems.add({ where: where(name, document.start), path: '', wrong, fix: 'use fewer' });
      }
    }
  }

  outcome(): ReadOutcome {
    if (!this.#problems.none) return { kind: 'invalid', problems: this.#problems.all() };
    const policies = this.#policies.toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
    return { kind: 'read', policies, tests: this.#tests };
  }

  #readDocument(document: YamlDocument, source: string): void {
    const originOf = (path: Path): Origin => ({ source, ...document.place(path, 'value') });
    const kind = kindOf(document.content, (path, wrong, fix) => {
      this.#problems.add({ where: where(source, originOf(path)), path: writePath(path), wrong, fix });
    });
    if (kind === undefined) return;
    const origin = originOf(['metadata', 'name']);
    this.#checkName(kind, nameOf(document.content), where(source, origin));
    if (kind === 'Policy' && this.#listsTooMuch(document, source)) return;

    const checked = this.#schemas[kind].safeParse(document.content, { reportInput: true });
    if (!checked.success) this.#explain(checked.error.issues, { kind, document, source });
    else if (checked.data.kind === 'Policy') this.#policies.push(toPolicy(checked.data, origin));
    else {
      this.#tests.push(toPolicyTests(checked.data, origin, (test) => originOf(['spec', 'tests', test])));
    }
  }

  /** Nothing after the one with which the set becomes too large is looked at. */
  #listsTooMuch({ content, place, start }: YamlDocument, source: string): boolean {
    if (this.#items > maxSetItems) return true;
    const { items, tooLong } = countItems(content);
    for (const { path, items } of tooLong) {
      this.#problems.add({
        where: where(source, place(path, 'value')),
        path: writePath(path),
        wrong: `lists ${items} items, and a list may have ${maxItems}`,
        fix: 'write wildcards or wider blocks, or split it over several policies',
      });
    }
    this.#items += items;
    if (this.#items > maxSetItems) {
      const wrong = `with this one, the lists of all policies have more than ${maxSetItems} items`;
      const fix = 'write wildcards or wider blocks instead of single names';
      this.#problems.add({ where: where(source, start), path: 'spec', wrong, fix });
    }
    return tooLong.length > 0 || this.#items > maxSetItems;
  }

  #checkName(kind: Kind, name: string | undefined, place: string): void {
    if (name === undefined) return;
    const key = `${kind} ${name}`;
    const taken = this.#names.get(key);
    if (taken === undefined) this.#names.set(key, place);
    else {
      const wrong = `the ${kind} at ${taken} has the same name`;
      this.#problems.add({ where: place, path: 'metadata.name', wrong, fix: 'rename one of the two' });
    }
  }

  #explain(issues: Issues, { kind, document, source }: Read): void {
    const told = this.#problems.full ? [] : issues.slice(0, maxProblems);
    this.#problems.hide(issues.length - told.length);
    const schema = this.#described.get(kind) ?? toJsonSchema(this.#schemas[kind]);
    this.#described.set(kind, schema);
    const vocabulary = { schema, reference: 'docs/policies.md', written: document.written };
    const findings = explain(told, vocabulary)
      .map((finding) => {
        const { path, atKey, into } = finding;
        return { ...finding, place: document.place(path, atKey ? 'key' : (into ?? 'value')) };
      })
      .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
    for (const { path, wrong, fix, place } of findings) {
      this.#problems.add({ where: where(source, place), path: writePath(path), wrong, fix });
    }
  }
}

type Issues = Parameters<typeof explain>[0];

interface Read {
  readonly kind: Kind;
  readonly document: YamlDocument;
  readonly source: string;
}

function where(source: string, place: Place): string {
  return placeOf({ source, ...place });
}
