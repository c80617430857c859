/** Policies as an operator writes them, from what a test has to say. */

/** What stands under `spec`, by the name of the policy. JSON is YAML as well. */
export type Specs = Readonly<Record<string, object>>;

/** One text of documents, asked in the order in which they are given. */
export function policyText(specs: Specs): string {
  return Object.entries(specs)
    .map(([name, spec], index) => {
      const ordered = JSON.stringify({ order: index + 1, ...spec });
      return `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: ${name}}\nspec: ${ordered}\n`;
    })
    .join('---\n');
}
