/** Reads `sluice.yaml`, lays the flags of the command line over it, and checks the whole against the schema. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { checkAround, touches } from './around.ts';
import type {
  ClusterConfig,
  Config,
  IdentityConfig,
  ListenConfig,
  NodeConfig,
  PoliciesConfig,
  SocketConfig,
  SourceConfig,
  TokenIssuerConfig,
} from './config.ts';
import { type Clash, clashes } from './consistency.ts';
import type { Finding } from './explain.ts';
import { type Flagged, type Flags, layFlags } from './flags.ts';
import { type Path, writePath } from './path.ts';
import { jsonSchema, type Settings, schema } from './schema.ts';
import { userTimeoutOf } from './user-timeout.ts';
import { type Place, readYaml } from './yaml-text.ts';

export interface Problem {
  /** `sluice.yaml:3:7`, or the flag: `--listen`. */
  readonly where: string;
  /** In the document: `listen[0].address`; empty where the document itself is at fault. */
  readonly path: string;
  readonly wrong: string;
  readonly fix: string;
}

export type Loaded =
  | {
      readonly kind: 'loaded';
      readonly config: Config;
      /** What others find wrong with a setting, with its place: of the value, or of the mapping that it is absent from. */
      readonly problem: (found: Omit<Finding, 'atKey' | 'into'>) => Problem;
    }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

/** A configuration is a page of text; what is longer is another file, given by mistake. */
const maxFileBytes = 2 ** 20;

/** One line. What is invisible in the document is not so here, nor does it end the line or turn it around. */
export function formatProblem({ where, path, wrong, fix }: Problem): string {
  const line = `${where}: ${path === '' ? '' : `${path}: `}${wrong}; ${fix}`;
  return line.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

/** Without a file, the flags alone must do. Never throws for bad input: that is what `invalid` is for. */
export function loadConfig(file: string | undefined, flags: Flags = {}): Loaded {
  if (file === undefined) return parseConfig('', '', flags);
  const text = readText(file, '.');
  if (text.kind === 'wrong') return invalid({ where: file, path: '', wrong: text.wrong, fix: text.fix });
  return parseConfig(text.value, file, flags);
}

/** `fileName` stands in messages, and relative paths in the document start at its folder. */
export function parseConfig(text: string, fileName: string, flags: Flags = {}): Loaded {
  const reading = readYaml(text);
  const at = ({ line, column }: Place): string => `${fileName}:${line}:${column}`;
  if (reading.kind === 'broken') {
    return invalid(
      ...reading.faults.map(({ wrong, fix, ...place }) => ({ where: at(place), path: '', wrong, fix })),
    );
  }
  const [document, second] = reading.documents;
  if (second !== undefined) {
    const fix = 'keep one document, without --- lines';
    return invalid({ where: at(second.start), path: '', wrong: 'a second document begins', fix });
  }
  const content = document?.content ?? {};

  const flagged = layFlags(content, flags);
  const written = (path: Path): Path => asWritten(path, flagged.content);
  const locate = ({ path, atKey }: Pick<Finding, 'path' | 'atKey'>): string =>
    flagFor(path, flagged) ??
    (fileName === ''
      ? 'command line'
      : at(document?.place(path, atKey ? 'key' : 'value') ?? { line: 1, column: 1 }));
  const problem = (finding: Finding): Problem => ({
    where: locate(finding),
    path: writePath(finding.path),
    wrong: finding.wrong,
    fix: fileName === '' && finding.wrong === 'is missing' ? 'pass --upstream http://HOST:9200' : finding.fix,
  });

  const vocabulary = { schema: jsonSchema(), reference: 'docs/configuration.md' };
  const { settings, findings } = checkAround(schema, flagged.content, vocabulary);
  if (settings === undefined) return invalid(...findings.map(problem));
  const folder = dirname(resolve(fileName));
  const { authorities, unread } = readAuthorities(settings, folder);
  // Of settings that are wrong by themselves, for which others stand in here, nothing more is said.
  const clashing = [...clashes(settings), ...unread]
    .map((clash) => ({ ...clash, path: written(clash.path), reads: clash.reads.map(written), atKey: false }))
    .filter(({ reads }) => !reads.some((path) => touches(path, findings)));
  const found = [...findings, ...clashing];
  if (found.length > 0) return invalid(...found.map(problem));
  return {
    kind: 'loaded',
    config: finish(settings, folder, authorities),
    problem: ({ path, ...words }) => problem({ path: written(path), ...words, atKey: false }),
  };
}

/** One listener may be written without a list around it. */
function asWritten(path: Path, content: unknown): Path {
  const listed =
    path[0] !== 'listen' ||
    (typeof content === 'object' && content !== null && 'listen' in content && Array.isArray(content.listen));
  return listed ? path : ['listen', ...path.slice(2)];
}

interface Authorities {
  /** Their texts, by the names of the files. */
  readonly authorities: ReadonlyMap<string, string>;
  readonly unread: readonly Clash[];
}

function readAuthorities(settings: Settings, folder: string): Authorities {
  const authorities = new Map<string, string>();
  const unread: Clash[] = [];
  for (const [path, caFile] of authorityFiles(settings)) {
    const ca = readText(caFile, folder);
    if (ca.kind === 'value' && ca.value.includes('-----BEGIN CERTIFICATE-----')) {
      authorities.set(caFile, ca.value);
    } else {
      const { wrong, fix } =
        ca.kind === 'wrong' ? ca : { wrong: 'holds no certificate', fix: 'give a PEM file' };
      unread.push({ path, wrong: `${caFile} ${wrong}`, fix, reads: [path] });
    }
  }
  return { authorities, unread };
}

/** Where the files of authorities are named, and the files. */
function authorityFiles({ upstream, clusters }: Settings): readonly (readonly [Path, string])[] {
  const named: readonly (readonly [Path, Settings['upstream']])[] = [
    [['upstream'], upstream],
    ...Object.entries(clusters).map(([name, cluster]) => [['clusters', name], cluster] as const),
  ];
  return named.flatMap(([path, { tls }]) =>
    tls.caFile === undefined ? [] : [[[...path, 'tls', 'caFile'], tls.caFile] as const],
  );
}

function finish(settings: Settings, folder: string, authorities: ReadonlyMap<string, string>): Config {
  const { admin, upstream, clusters, policies, identity, accessLog } = settings;
  const inFile = !['stdout', 'stderr'].includes(accessLog.destination);
  const { stall } = settings.timeouts;
  const clusterOf = (cluster: Settings['upstream']): ClusterConfig =>
    finishCluster(cluster, authorities, stall);
  return {
    ...settings,
    listen: settings.listen.map(
      ({ address, socket, ...rest }): ListenConfig => ({
        ...address,
        ...rest,
        socket: flatten(socket, stall),
      }),
    ),
    admin: admin.address,
    upstream: clusterOf(upstream),
    clusters: Object.fromEntries(Object.entries(clusters).map(([name, one]) => [name, clusterOf(one)])),
    policies: policies && finishPolicies(policies, folder),
    identity: finishIdentity(identity, folder),
    accessLog: {
      ...accessLog,
      destination: inFile ? resolve(folder, accessLog.destination) : accessLog.destination,
    },
  };
}

function finishCluster(
  cluster: Settings['upstream'],
  authorities: ReadonlyMap<string, string>,
  stall: number,
): ClusterConfig {
  const { caFile, serverName, verify } = cluster.tls;
  const ca = caFile === undefined ? undefined : authorities.get(caFile);
  return {
    nodes: cluster.nodes.map(({ secure, ...node }): NodeConfig => {
      return { ...node, tls: secure ? { serverName: serverName ?? node.host, ca, verify } : undefined };
    }),
    socket: flatten(cluster.socket, stall),
    host: cluster.host,
    pool: cluster.pool,
    ejection: cluster.ejection,
    dns: cluster.dns,
  };
}

function finishPolicies(policies: NonNullable<Settings['policies']>, folder: string): PoliciesConfig {
  const inFolder = (file: string | undefined) => (file === undefined ? undefined : resolve(folder, file));
  const sources = policies.sources.map((source): SourceConfig => {
    if ('path' in source) return { kind: 'path', path: resolve(folder, source.path) };
    if ('url' in source) {
      const { url, interval, tokenFile, caFile } = source;
      return { kind: 'url', url, interval, tokenFile: inFolder(tokenFile), caFile: inFolder(caFile) };
    }
    if ('s3' in source) {
      const { region, endpoint, ...rest } = source.s3;
      return { kind: 's3', region, endpoint, ...rest, interval: source.interval };
    }
    const { namespace, labelSelector, kubeconfig, context } = source.kubernetes;
    return { kind: 'kubernetes', namespace, labelSelector, kubeconfig: inFolder(kubeconfig), context };
  });
  return { ...policies, sources, secrets: { directory: inFolder(policies.secrets.directory) } };
}

function finishIdentity({ tokens, users, apiKeys }: Settings['identity'], folder: string): IdentityConfig {
  return {
    tokens: tokens.map(({ jwksUrl, jwksFile, ...issuer }): TokenIssuerConfig => {
      const jwks: TokenIssuerConfig['jwks'] =
        jwksUrl === undefined
          ? { kind: 'file', file: resolve(folder, jwksFile ?? '') }
          : { kind: 'url', url: jwksUrl };
      return { ...issuer, jwks };
    }),
    users: users && resolve(folder, users.file),
    apiKeys: apiKeys && resolve(folder, apiKeys.file),
  };
}

function flatten(socket: Settings['upstream']['socket'], stall: number): SocketConfig {
  return {
    keepAliveIdle: socket.keepAlive.idle,
    keepAliveInterval: socket.keepAlive.interval,
    keepAliveCount: socket.keepAlive.count,
    userTimeout: userTimeoutOf(socket, stall),
    congestionControl: socket.congestionControl,
  };
}

function invalid(...problems: readonly Problem[]): Loaded {
  return { kind: 'invalid', problems };
}

type Text = { kind: 'value'; value: string } | { kind: 'wrong'; wrong: string; fix: string };

function readText(file: string, folder: string): Text {
  try {
    const text = readFileSync(resolve(folder, file), 'utf8');
    if (text.length <= maxFileBytes) return { kind: 'value', value: text };
    return { kind: 'wrong', wrong: `is longer than ${maxFileBytes} bytes`, fix: 'give the right file' };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'does not exist',
      EACCES: 'may not be read by this user',
      EISDIR: 'is a directory',
    };
    return {
      kind: 'wrong',
      wrong: reasons[code] ?? `can't be read (${code})`,
      fix: 'check the path',
    };
  }
}

function flagFor(path: Path, flagged: Flagged): string | undefined {
  return flagged.flags.find((flag) => flag.path.every((part, index) => part === path[index]))?.flag;
}
