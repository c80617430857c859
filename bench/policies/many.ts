/** A large site's policies: for each team a write, a read and an admin policy, before them what holds for all. */

/** One document each. */
export function manyPolicies(count: number): readonly string[] {
  const documents: string[] = [];
  const add = (name: string, order: number, spec: string): void => {
    if (documents.length >= count) return;
    documents.push(
      `apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: ${name}}\nspec:\n  order: ${order}\n${spec}`,
    );
  };
  add('no-sniffing', 1, '  match: {endpoints: [nodes.info]}\n  action: deny\n');
  add('blocked', 2, '  match: {sources: [192.0.2.0/24]}\n  action: deny\n');
  add('health', 3, '  match: {groups: [monitor], methods: [GET, HEAD]}\n  action: allow\n');
  for (let team = 0; documents.length < count; team++) {
    const own = `indices: [logs-${team}-*, metrics-${team}]`;
    const who = `principals: [{claimedUsers: [team-${team}]}]`;
    add(
      `team-${team}-writes`,
      1000 + 10 * team,
      `  match: {groups: [write], ${own}, sources: [10.${team >> 8}.${team & 255}.0/24]}\n  action: allow\n  bodyIndices: trust\n` +
        '  route: {cluster: hot}\n  limits: {bodyBytes: 200MB, requestBandwidth: 50MB/s, streams: 8}\n',
    );
    add(`team-${team}-reads`, 1001 + 10 * team, `  match: {groups: [read], ${own}}\n  action: allow\n`);
    add(
      `team-${team}-admins`,
      1002 + 10 * team,
      `  match: {groups: [manage], ${own}, ${who}}\n  action: allow\n`,
    );
  }
  return documents;
}
