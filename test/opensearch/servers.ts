/** Starts and stops one real search server, a single node on ports of its own. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freePorts, startChild, untilReady } from '../support/child.ts';
import { cached, here } from './cache.ts';
import { type ServerName, servers } from './catalogue.ts';

export interface ServerOptions {
  readonly name: ServerName;
  readonly java: string;
  /** `-Xmx`; a bulk of 99 MB needs 2g, since indexing pressure allows a tenth of the heap. */
  readonly heap: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface SearchServer {
  readonly name: ServerName;
  readonly version: string;
  /** Such as `http://127.0.0.1:9200`. */
  readonly url: string;
  /** The routes that it has registered: method, path and the name of the handler, a line each. */
  readonly routes: string;
  stop(): Promise<void>;
}

const startDeadline = 120_000;

export async function startServer(options: ServerOptions): Promise<SearchServer> {
  const kind = servers[options.name];
  // The cluster's name is asked for below, so that another server's answer is never taken for this one's.
  const cluster = `sluice-${randomUUID()}`;
  const home = cached('run', cluster);
  const fetched = cached('servers', options.name);
  const [http, transport] = (await freePorts(2)) as [number, number];
  const url = `http://127.0.0.1:${http}`;
  const settings = {
    'cluster.name': cluster,
    'node.name': 'n1',
    'network.host': '127.0.0.1',
    'http.port': http,
    'transport.port': transport,
    'discovery.type': 'single-node',
    'cluster.routing.allocation.disk.threshold_enabled': 'false',
    ...options.settings,
  };
  const jars = readdirSync(path.join(fetched, 'lib')).map((jar) => path.join(fetched, 'lib', jar));
  const log = path.join(home, 'out.log');
  const child = startChild({
    command: options.java,
    args: [
      '-Xms512m',
      `-Xmx${options.heap}`,
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseG1GC',
      '-XX:-UsePerfData',
      '-Djava.awt.headless=true',
      `-Djava.io.tmpdir=${home}`,
      `-Des.nativelibs.path=${home}`,
      `-Dlog4j2.configurationFile=${path.join(here, 'servers', 'log4j2.properties')}`,
      ...(kind.jdk > 21 ? ['--enable-native-access=ALL-UNNAMED'] : []),
      '-cp',
      jars.join(':'),
      path.join(here, 'servers', 'SearchNode.java'),
      home,
      path.join(fetched, 'module'),
      ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ],
    stdout: log,
    stderr: log,
  });
  await untilReady(child, startDeadline, async () => {
    const answer = await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(5000) });
    return answer.ok && ((await answer.json()) as { cluster_name?: string }).cluster_name === cluster;
  });
  return {
    name: options.name,
    version: kind.version,
    url,
    routes: readFileSync(path.join(home, 'routes.txt'), 'utf8'),
    stop: async () => {
      child.process.stdin?.end();
      await child.end(10_000);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
