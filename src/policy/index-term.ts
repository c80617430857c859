/** One item of an index expression: `logs-*`, `-logs-b`, `<logs-{now/d}>`, `far:logs-a`, `logs-a::failures`. */
import { compileGlob } from './glob.ts';
import { dateMathGlob } from './index-date-math.ts';

export interface IndexTerm {
  /** `-name`: it takes away, and never adds. */
  readonly excluded: boolean;
  /** The remote cluster, perhaps with stars; undefined is this one. */
  readonly remote: string | undefined;
  /** Names with `*` as the only wildcard. */
  readonly glob: string;
  /** What of a data stream is meant; undefined is its data, asked for in a way that all servers understand. */
  readonly selector: 'data' | 'failures' | undefined;
  /** Date math: a star in the glob may be a computed part instead of a wildcard. */
  readonly dateMath: boolean;
}

/** Most terms there are. It has no comma, so what matches is a list of one. */
const plain = /^[a-z0-9.*][a-z0-9._*-]*$/;

/**
 * Characters that no index, alias or data stream can have in its name (MetadataCreateIndexService), control
 * characters and all kinds of white space, which some code trims and some does not. A comma parts names before.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
const impossible = /[\s\u0000-\u001f\u007f"\\/<>?|#:]/;

/** Whether `text` is a plain name or wildcard, and nothing else could be meant by it. */
export function isPlain(text: string): boolean {
  return plain.test(text);
}

/**
 * Reads one item, which holds no comma; a string says why it can't be read, or not in one way only. Refused
 * besides what no server takes: a chain of remote clusters (`a:b:name`), which servers follow; names that begin
 * with `_` or `+`, which meant something once or will; exclusions of exclusions.
 */
export function readTerm(text: string): IndexTerm | string {
  if (isPlain(text)) return localTerm(text);
  let excluded = text.startsWith('-');
  let rest = excluded ? text.slice(1) : text;

  let remote: string | undefined;
  const colon = rest.startsWith('<') ? -1 : rest.indexOf(':');
  if (colon !== -1 && rest[colon + 1] !== ':') {
    remote = singleStars(rest.slice(0, colon));
    rest = rest.slice(colon + 1);
    const wrong = wrongName(remote);
    if (wrong !== undefined) return `${wrong}, of a remote cluster`;
    if (rest.startsWith('-')) {
      if (excluded) return 'an exclusion of an exclusion';
      excluded = true;
      rest = rest.slice(1);
    }
  }

  let selector: IndexTerm['selector'];
  const separator = rest.lastIndexOf('::');
  if (separator !== -1) {
    const name = rest.slice(separator + 2);
    if (name !== 'data' && name !== 'failures') return 'a selector other than data and failures';
    selector = name;
    rest = rest.slice(0, separator);
  }

  const dateMath = rest.startsWith('<') && rest.endsWith('>');
  if (dateMath) {
    const read = dateMathGlob(rest.slice(1, -1));
    if ('wrong' in read) return read.wrong;
    rest = read.glob;
  }
  // Taken away, `_all` is no more than a name that nothing has.
  const glob = !excluded && meansAll(rest, dateMath) ? '*' : singleStars(rest);
  const wrong = wrongName(glob);
  if (wrong !== undefined) return wrong;
  // `name::data` is the name. Of a wildcard that is so only where the server knows selectors: another one looks for
  // remote clusters of such names, and where there is none, may search everything.
  if (!excluded && selector === 'data' && !glob.includes('*')) selector = undefined;
  return { excluded, remote, glob, selector, dateMath };
}

/** A name or wildcard of this cluster. */
function localTerm(glob: string): IndexTerm {
  return {
    excluded: false,
    remote: undefined,
    glob: singleStars(glob),
    selector: undefined,
    dateMath: false,
  };
}

/** Date math can come out as `_all`, by its computed part as well, and OpenSearch and Elasticsearch 7 obey. */
function meansAll(name: string, dateMath: boolean): boolean {
  return name === '_all' || (dateMath && compileGlob(name)('_all'));
}

function singleStars(glob: string): string {
  return glob.includes('**') ? glob.replace(/\*+/g, '*') : glob;
}

function wrongName(name: string): string | undefined {
  if (name === '') return 'an empty name';
  if (impossible.test(name)) return 'a name with a character that no name can hold';
  const first = name[0];
  return first === '_' || first === '+' || first === '-' ? `a name that begins with ${first}` : undefined;
}
