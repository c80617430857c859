/**
 * `sluice demo`: a real 100 MB bulk up and 100 MB down through the proxy, as its own three processes: this
 * client, the proxy, an origin. Digests are compared at both ends; then it says what that cost the proxy.
 */
import { type Client, createClient, type Transfer } from './demo-client.ts';
import { type Origin, type ProxyProcess, startOrigin, startProxy } from './demo-processes.ts';
import { cpuSeconds, peakMemory, sample } from './demo-readings.ts';
import { bodyBytes, bulk, loadCities } from './demo-rows.ts';
import { createProgress, type Output } from './progress.ts';

/** Nothing of it takes longer; a demo that hangs says so. */
const deadline = 300_000;

/** 0 when both digests agree at both ends, 1 otherwise. Rejects when it can't be run. */
export async function demo(output: Output): Promise<0 | 1> {
  const cities = loadCities();
  let origin: Origin | undefined;
  let proxy: ProxyProcess | undefined;
  let client: Client | undefined;
  try {
    origin = await startOrigin();
    proxy = await startProxy(origin.port);
    client = createClient(proxy.port, AbortSignal.timeout(deadline));
    const { upload, download } = client;
    output.write(
      `${cities.length.toLocaleString('en')} cities of the world, as 100 MB each way through Sluice\n`,
    );
    const up = await measure(output, proxy, 'up', (moved) =>
      upload(bulk(cities, bodyBytes), bodyBytes, moved),
    );
    const down = await measure(output, proxy, 'down', (moved) => download(moved));
    const metrics = await proxy.metrics();
    const memory = peakMemory(proxy.pid);
    client.close();
    const access = await proxy.stop();
    output.write(report({ up, down, metrics, memory, access }));
    return isIntact(up) && isIntact(down) ? 0 : 1;
  } finally {
    client?.close();
    proxy?.kill();
    origin?.stop();
  }
}

interface Measured extends Transfer {
  /** The proxy's CPU seconds meanwhile. */
  readonly cpu: number | undefined;
}

async function measure(
  output: Output,
  { pid }: ProxyProcess,
  title: string,
  transfer: (moved: (bytes: number) => void) => Promise<Transfer>,
): Promise<Measured> {
  const progress = createProgress(output, title, bodyBytes);
  const before = cpuSeconds(pid);
  try {
    const done = await transfer(progress.moved);
    const after = cpuSeconds(pid);
    return { ...done, cpu: before === undefined || after === undefined ? undefined : after - before };
  } finally {
    progress.end();
  }
}

function isIntact({ digest, told, bytes }: Transfer): boolean {
  return digest === told && bytes === bodyBytes;
}

interface Findings {
  readonly up: Measured;
  readonly down: Measured;
  readonly metrics: string;
  readonly memory: number | undefined;
  readonly access: readonly string[];
}

function report({ up, down, metrics, memory, access }: Findings): string {
  const spliced = sample(metrics, 'sluice_body_bytes_total', 'path="spliced"');
  const copied = sample(metrics, 'sluice_body_bytes_total', 'path="copied"');
  const share = (100 * spliced) / Math.max(spliced + copied, 1);
  const rows: readonly (readonly [string, string])[] = [
    ['bulk up', `${line(up)}, ${up.actions.toLocaleString('en')} actions acknowledged`],
    ['search down', `${line(down)}, chunked with a trailer`],
    [
      'proxy memory',
      memory === undefined ? 'not told by this system' : `${(memory / 1e6).toFixed(0)} MB at most`,
    ],
    [
      'body bytes',
      `${spliced.toLocaleString('en')} spliced (${share.toFixed(2)} %), ${copied.toLocaleString('en')} copied`,
    ],
    ['access log', access.find((one) => one.includes('/_bulk')) ?? 'no line for the bulk'],
  ];
  return `${rows.map(([name, value]) => `  ${name.padEnd(13)} ${value}`).join('\n')}\n`;
}

function line(transfer: Measured): string {
  const { bytes, seconds, cpu, digest, told } = transfer;
  const cost = cpu === undefined ? '' : `proxy CPU ${((1e3 * cpu) / (bytes / 1e9)).toFixed(0)} ms/GB, `;
  const verdict = isIntact(transfer)
    ? 'sha256 equal at both ends'
    : `DAMAGED: sha256 ${digest} here, ${told} there`;
  return `${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${cost}${verdict}`;
}
