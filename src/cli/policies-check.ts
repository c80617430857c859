/** `sluice check`: a `sluice.yaml` with the policies that it names, or files and directories of policies. */
import { readFileSync, statSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { formatProblem, loadConfig, type Problem } from '../config/load.ts';
import { readYaml } from '../config/yaml-text.ts';
import { clustersOf, passedOver, pathsOf, readPaths } from './policies-input.ts';
import { formatWarning, type Told } from './told.ts';

export interface CheckFlags {
  readonly files: readonly string[];
  /** Names that policies may route to. */
  readonly cluster?: readonly string[] | undefined;
  /** A `sluice.yaml` that says which clusters there are. */
  readonly config?: string | undefined;
  /** Warnings fail, too. */
  readonly strict?: boolean | undefined;
}

export async function check({ files, cluster, config, strict = false }: CheckFlags): Promise<Told> {
  const findings: Findings = { strict, out: [], err: [], failed: false };
  const ofPolicies = files.filter(holdsPolicies);
  const ofConfig = files.filter((file) => !ofPolicies.includes(file));
  const configs = ofConfig.flatMap((file) => {
    const one = configOf(file, findings);
    return one === undefined ? [] : [{ file, config: one }];
  });
  for (const { file, config: one } of configs) await checkConfig(file, one, findings);
  if (ofPolicies.length > 0) {
    const named = config === undefined ? undefined : configOf(config, findings);
    const beside = [...configs.map((one) => one.config), ...(named ? [named] : [])];
    const clusters = [
      ...(cluster === undefined ? [] : ['default', ...cluster]),
      ...beside.flatMap(clustersOf),
    ];
    const counts = await checkPolicies(ofPolicies, clusters.length > 0 ? clusters : undefined, findings);
    if (counts !== undefined) conclude(ofPolicies.join(', '), counts, findings);
  }
  return { code: findings.failed ? 1 : 0, out: findings.out, err: findings.err };
}

interface Findings {
  readonly strict: boolean;
  readonly out: string[];
  readonly err: string[];
  failed: boolean;
}

type Counts = Readonly<Record<string, number>>;

/** The last line on what was looked at. */
function conclude(what: string, counts: Counts, findings: Findings): void {
  const refused = findings.strict && (counts.warnings ?? 0) > 0;
  if (refused) findings.failed = true;
  const all = Object.entries(counts).map(([name, count]) => `${name}: ${count}`);
  findings.out.push(`${what}: ${refused ? 'refused by --strict' : 'right'} (${all.join(', ')})`);
}

/** A directory, or a text in which some document says of what kind it is. What is not there is a configuration. */
function holdsPolicies(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) return stat !== undefined;
  const text = textOf(file);
  const reading = readYaml(text);
  if (reading.kind === 'broken') return /^\s*["']?(apiVersion|kind)["']?\s*:/m.test(text);
  return reading.documents.some(({ content }) => saysKind(content));
}

/** Longer ones are refused, whatever they hold. */
const maxTextBytes = 2 ** 20;

function textOf(file: string): string {
  try {
    return statSync(file).size > maxTextBytes ? '' : readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function saysKind(content: unknown): boolean {
  return typeof content === 'object' && content !== null && ('apiVersion' in content || 'kind' in content);
}

function configOf(file: string, findings: Findings): Config | undefined {
  const loaded = loadConfig(file);
  if (loaded.kind === 'loaded') return loaded.config;
  blame(loaded.problems, findings);
  return undefined;
}

function blame(problems: readonly Problem[], findings: Findings): void {
  findings.failed = true;
  findings.err.push(...problems.map(formatProblem));
}

async function checkConfig(file: string, config: Config, findings: Findings): Promise<void> {
  const { listen, upstream, policies } = config;
  const sources = policies?.sources ?? [];
  for (const name of sources.flatMap((source) => passedOver(source) ?? [])) {
    findings.err.push(`${name}: not looked at`);
  }
  const paths = pathsOf(sources);
  const counts = paths.length > 0 ? await checkPolicies(paths, clustersOf(config), findings) : {};
  if (counts === undefined) return;
  conclude(file, { listeners: listen.length, nodes: upstream.nodes.length, ...counts }, findings);
}

/** Undefined where they are not right. */
async function checkPolicies(
  paths: readonly string[],
  clusters: readonly string[] | undefined,
  findings: Findings,
): Promise<Counts | undefined> {
  const read = await readPaths(paths, clusters);
  if (read.kind === 'invalid') {
    blame(read.problems, findings);
    return undefined;
  }
  const { policies, tests, warnings } = read;
  findings.err.push(...warnings.map(formatWarning));
  const all = tests.reduce((sum, document) => sum + document.tests.length, 0);
  return { policies: policies.length, tests: all, warnings: warnings.length };
}
