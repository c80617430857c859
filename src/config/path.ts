/** Where in a document something is: the keys and indices that lead to it. */
export type Path = readonly (string | number)[];

/** `listen[0].address`. */
export function writePath(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}
