/** `sluice policies`: what a running proxy tells of its policies. */
import { adminPaths, type PolicyReport } from '../admin/contract.ts';
import { readAddress } from '../config/address.ts';
import { exitCodes } from './actions.ts';
import { failed, type Told } from './told.ts';

export interface ShowFlags {
  /** `host:port` */
  readonly admin: string;
  readonly json?: boolean | undefined;
}

const timeout = 5000;

export async function showPolicies({ admin, json }: ShowFlags): Promise<Told> {
  const address = readAddress(admin);
  if (address.kind === 'wrong') {
    return failed([{ where: '--admin', path: '', wrong: address.wrong, fix: address.fix }]);
  }
  const report = await ask(`http://${admin}${adminPaths.policies}`);
  if (typeof report === 'string') {
    return { code: exitCodes.machine, out: [], err: [`sluice: ${admin}: ${report}`] };
  }
  const out = json ? [JSON.stringify(report, null, 2)] : inWords(report, Date.now());
  return { code: isInEffect(report) ? exitCodes.done : exitCodes.stale, out, err: [] };
}

/** What the sources hold is what requests are judged by. */
function isInEffect({ version, stale, problems }: PolicyReport): boolean {
  return version !== '' && !stale && problems.length === 0;
}

/** A string says why there is no report. */
async function ask(url: string): Promise<PolicyReport | string> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeout), redirect: 'error' });
    body = await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) return strangers;
    if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeout} ms`;
    return codeOf(error) === 'ECONNREFUSED'
      ? 'nothing listens there; start a proxy, or give the admin address of one with --admin'
      : `can't be asked (${codeOf(error)}); give the admin address of a proxy with --admin`;
  }
  if (isReport(body)) return body;
  const none = response.status === 404 && typeof body === 'object' && body !== null && 'error' in body;
  return none ? 'the proxy has no policies; add policies.sources to its sluice.yaml' : strangers;
}

const strangers = 'what answers is not a proxy; give the admin address of one with --admin';

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(error);
}

function isReport(body: unknown): body is PolicyReport {
  return typeof body === 'object' && body !== null && 'hits' in body && Array.isArray(body.hits);
}

/** `now` in milliseconds since 1970. */
export function inWords(report: PolicyReport, now: number): readonly string[] {
  const { version, since, problems, sources, hits, stale } = report;
  const age = since === '' ? '' : `, for ${inUnits(now - Date.parse(since))}`;
  const rows = hits.map(({ policy, order, action, ...counts }) => [
    policy,
    policy === 'default' ? '-' : String(order),
    action,
    ...columns.map((column) => String(counts[column])),
  ]);
  return [
    version === '' ? 'version   none yet' : `version   ${version.slice(0, 12)}, since ${since}${age}`,
    ...sources.map(({ source, reachable, why }) => `source    ${source}: ${reachable ? 'read' : why}`),
    ...(stale ? ['stale     an older set is in effect:', ...problems.map((problem) => `  ${problem}`)] : []),
    '',
    ...table([['policy', 'order', 'action', ...columns], ...rows]),
  ];
}

const columns = ['allowed', 'denied', 'audited', 'streams', 'waiting', 'limited'] as const;

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) =>
        at === 0 || at === 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
      )
      .join('  '),
  );
}

/** The two largest units: `2 h 3 min`. */
function inUnits(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
