/** The tables of docs/configuration.md and docs/policies.md, printed from the schemas: they can't tell anything else. */
import type { Described } from './described.ts';

/** A Markdown table: one row a setting, in the order of the schema. */
export function referenceTable(schema: Described): string {
  const rows = [...settings(schema, '')].map(
    ([path, setting]) =>
      `| \`${path}\` | ${form(setting)} | ${standard(setting)} | ${setting.description ?? ''} |`,
  );
  return ['| setting | value | default | what it does |', '|---|---|---|---|', ...rows].join('\n');
}

function* settings(described: Described, prefix: string): Generator<readonly [string, Described]> {
  for (const [key, value] of Object.entries(described.properties ?? {})) {
    const path = `${prefix}${key}`;
    const items = value.items ?? value.anyOf?.find(({ items }) => items?.properties)?.items;
    const forms = (items?.anyOf ?? [items]).flatMap((form) => (form?.properties === undefined ? [] : [form]));
    if (forms.length > 0) for (const form of forms) yield* settings(form, `${path}[].`);
    else if (value.properties !== undefined) yield* settings(value, `${path}.`);
    else {
      yield [path, value];
      for (const form of value.anyOf ?? []) yield* settings(form, `${path}.`);
    }
  }
}

function form({ type, format, pattern, const: only, enum: values, items, anyOf }: Described): string {
  if (format === 'rate') return format;
  if (anyOf?.some(isQuantity)) return quantity(anyOf);
  if (anyOf !== undefined) return anyOf.map(form).join(', ');
  if (only !== undefined) return String(only);
  if (values !== undefined) return values.map(String).join(', ');
  if (items !== undefined) return `list of ${form(items)}${items.enum ? '' : 's'}`;
  return pattern === undefined || type !== 'string' ? (type ?? '') : 'string';
}

function isQuantity({ pattern, anyOf }: Described): boolean {
  return pattern?.includes('GiB') || pattern?.includes('ms|s') || (anyOf ?? []).some(isQuantity);
}

/** A number, or text with a unit; beside it a word of its own, such as `off`. */
function quantity(forms: readonly Described[]): string {
  const text = JSON.stringify(forms);
  const words = forms.flatMap(({ const: only }) => (only === undefined ? [] : [String(only)]));
  return [text.includes('GiB') ? 'size' : 'duration', ...words].join(', ');
}

function standard({ default: value }: Described): string {
  return value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
