/** What the schema says of a setting, found by its path in the JSON Schema that zod prints. */
import type { Path } from './path.ts';

/** As much of a JSON Schema as is walked here. */
export interface Described {
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  /** May be secret: not to be shown. */
  readonly writeOnly?: boolean;
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
  readonly properties?: Readonly<Record<string, Described>>;
  readonly additionalProperties?: Described | boolean;
}

export function describeAt(schema: Described, path: Path): Described | undefined {
  let at: Described | undefined = schema;
  for (const part of path) at = at && step(at, part);
  return at;
}

/** Of several forms, the one that has keys. */
function formWithKeys(described: Described | undefined): Described | undefined {
  if (described?.properties !== undefined) return described;
  return described?.anyOf?.find(({ properties }) => properties) ?? described;
}

export function keysOf(described: Described | undefined): readonly string[] {
  return Object.keys(formWithKeys(described)?.properties ?? {});
}

/** How to write what belongs there; `reference` is where it can be looked up. */
export function exampleOf(whole: Described | undefined, reference: string): string {
  const described = whole?.examples === undefined ? formWithKeys(whole) : whole;
  const item = described?.items?.examples?.[0];
  const listed = typeof item === 'object' ? JSON.stringify([item]) : `[${item}]`;
  const example = described?.examples?.[0] ?? (item === undefined ? described?.default : listed);
  const text = typeof example === 'string' ? example : JSON.stringify(example);
  if (example !== undefined && text !== '{}') return `write e.g. ${text}`;
  const keys = keysOf(described);
  return keys.length > 0 ? `write a mapping with any of ${keys.join(', ')}` : `see ${reference}`;
}

/** A value that may stand there, as the schema's own examples have it; undefined where it has none. */
export function exampleAt(schema: Described, path: Path): unknown {
  const described = describeAt(schema, path);
  const item = described?.items?.examples?.[0];
  const listed = item === undefined ? undefined : [item];
  return described?.examples?.[0] ?? described?.default ?? described?.enum?.[0] ?? listed;
}

function step(from: Described, part: string | number): Described | undefined {
  const direct = typeof part === 'number' ? from.items : keyed(from, part);
  if (direct !== undefined) return direct;
  for (const form of from.anyOf ?? []) {
    const found = step(form, part);
    if (found !== undefined) return found;
  }
  return undefined;
}

function keyed({ properties, additionalProperties }: Described, key: string): Described | undefined {
  if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}
