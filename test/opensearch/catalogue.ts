/** Which servers the suite starts, what each needs, and which official clients each accepts. */

export type JavaScriptClient =
  | 'opensearch-3'
  | 'elasticsearch-7.13'
  | 'elasticsearch-7.17'
  | 'elasticsearch-8'
  | 'elasticsearch-9';

export type PythonClient = 'opensearch-3' | 'elasticsearch-7.13' | 'elasticsearch-8' | 'elasticsearch-9';

export interface ServerKind {
  readonly group: string;
  readonly artifact: string;
  /** The artifact of the module that speaks HTTP. */
  readonly http: string;
  /** The artifact of another such module, which has the streaming bulk. */
  readonly streaming?: string;
  readonly version: string;
  readonly log4j: string;
  /** The oldest JDK it runs on. */
  readonly jdk: number;
  /** The HTTP module is loaded from a folder of its own instead of the class path. */
  readonly loadsModule: boolean;
  /** The first is put through everything, the others through a shorter list. */
  readonly javascript: readonly JavaScriptClient[];
  readonly python: readonly PythonClient[];
}

const opensearch = {
  group: 'org.opensearch',
  artifact: 'opensearch',
  http: 'transport-netty4-client',
  log4j: '2.25.4',
  loadsModule: false,
  // Newer Elasticsearch clients refuse a server that is not Elasticsearch; 7.13 was the last that did not look.
  javascript: ['opensearch-3', 'elasticsearch-7.13'],
  python: ['opensearch-3', 'elasticsearch-7.13'],
} as const;

const elasticsearch = { group: 'org.elasticsearch', artifact: 'elasticsearch' } as const;

export const servers = {
  'opensearch-3': {
    ...opensearch,
    streaming: 'transport-reactor-netty4-client',
    version: '3.8.0',
    jdk: 21,
  },
  'opensearch-2': { ...opensearch, version: '2.19.6', jdk: 17 },
  'elasticsearch-7': {
    ...elasticsearch,
    http: 'transport-netty4-client',
    version: '7.17.29',
    log4j: '2.17.1',
    jdk: 17,
    loadsModule: false,
    javascript: [
      'elasticsearch-7.17',
      'elasticsearch-7.13',
      'elasticsearch-8',
      'elasticsearch-9',
      'opensearch-3',
    ],
    python: ['elasticsearch-7.13', 'elasticsearch-8', 'elasticsearch-9', 'opensearch-3'],
  },
  'elasticsearch-9': {
    ...elasticsearch,
    http: 'transport-netty4',
    version: '9.5.3',
    log4j: '2.26.1',
    jdk: 25,
    loadsModule: true,
    javascript: ['elasticsearch-9', 'elasticsearch-8'],
    python: ['elasticsearch-9', 'elasticsearch-8'],
  },
} as const satisfies Record<string, ServerKind>;

export type ServerName = keyof typeof servers;

/** Each list stands for one test file; of a list, the first whose JDK is there is started. */
export const choices = {
  opensearch: ['opensearch-3', 'opensearch-2'],
  opensearchStreaming: ['opensearch-3'],
  elasticsearch7: ['elasticsearch-7'],
  elasticsearch9: ['elasticsearch-9'],
} as const satisfies Record<string, readonly ServerName[]>;

export type Choice = keyof typeof choices;
