/**
 * How Elasticsearch and OpenSearch find the handler of a path: a model of their `PathTrie` and of the four modes in
 * which `RestController` asks it, one after the other. It does not try literal segments before wildcards everywhere.
 */

interface Node {
  readonly children: Map<string, Node>;
  /** By method, where a path ends here. */
  handlers: Map<string, string> | undefined;
}

type Mode = 'explicit' | 'wildcard-root' | 'wildcard-leaf' | 'wildcards';
const modes: readonly Mode[] = ['explicit', 'wildcard-root', 'wildcard-leaf', 'wildcards'];
const wildcard = '*';

export class ServerTrie {
  readonly #root: Node = { children: new Map(), handlers: undefined };

  /** `url` as in `/{index}/_search`; parameters may stand in `{}` or `<>`. */
  add(method: string, url: string, name: string): void {
    let node = this.#root;
    for (const part of url.split('/').filter((one) => one !== '')) {
      const key = /^[<{]/.test(part) ? wildcard : part;
      let next = node.children.get(key);
      if (next === undefined) {
        next = { children: new Map(), handlers: undefined };
        node.children.set(key, next);
      }
      node = next;
    }
    node.handlers ??= new Map();
    node.handlers.set(method, name);
  }

  /** The handler's name; undefined where the server has none for this method and path. */
  find(method: string, segments: readonly string[]): string | undefined {
    for (const mode of modes) {
      const name = retrieve(this.#root, segments, 0, mode)?.get(method);
      if (name !== undefined) return name;
    }
    return undefined;
  }
}

function retrieve(
  node: Node,
  segments: readonly string[],
  at: number,
  mode: Mode,
): ReadonlyMap<string, string> | undefined {
  const segment = segments[at];
  if (segment === undefined) return undefined;
  const last = at === segments.length - 1;
  const any = node.children.get(wildcard);
  const literal = node.children.get(segment);
  let next = literal;
  let tookWildcard = segment === wildcard;
  if (literal === undefined) {
    const allowed =
      mode === 'wildcards' || (mode === 'wildcard-root' && at === 0) || (mode === 'wildcard-leaf' && last);
    if (!allowed) return undefined;
    next = any;
    tookWildcard = true;
  } else if (literal.handlers === undefined && any !== undefined) {
    const leaf = last && (mode === 'wildcard-leaf' || mode === 'wildcards');
    const root = at === 0 && mode === 'wildcard-root';
    if (leaf || root) {
      next = any;
      tookWildcard = true;
    }
  }
  if (next === undefined) return undefined;
  if (last) return next.handlers;
  const found = retrieve(next, segments, at + 1, mode);
  if (found !== undefined || tookWildcard || mode === 'explicit' || any === undefined) return found;
  return retrieve(any, segments, at + 1, mode);
}
