/** `sluice check`: a `sluice.yaml` with the policies that it names, or files and directories of policies. */
import { readFileSync, statSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { formatProblem, loadConfig, type Problem } from '../../config/load.ts';
import { readYaml } from '../../config/yaml-text.ts';
import type { Surroundings, Verifies } from '../../policy/surroundings.ts';
import { exitCodes } from '../actions.ts';
import { passedOver, pathsOf, readPaths, surroundingsOf } from '../policies-input.ts';
import { formatWarning, type Told } from '../told.ts';
import { dangers } from './dangers.ts';
import { clustersOf, type Finding } from './finding.ts';
import { examineMachine } from './machine.ts';

export interface CheckFlags {
  readonly files: readonly string[];
  /** Names that policies may route to. */
  readonly cluster?: readonly string[] | undefined;
  /** One more `sluice.yaml`. */
  readonly config?: string | undefined;
  /** Looks at the files alone, and at nothing else of this machine. */
  readonly static?: boolean | undefined;
  /** Warnings fail, too. */
  readonly strict?: boolean | undefined;
}

export async function check(flags: CheckFlags): Promise<Told> {
  const { files, cluster, strict = false } = flags;
  const findings: Findings = { strict, out: [], err: [], failed: false };
  const ofPolicies = files.filter(holdsPolicies);
  // What says which clusters there are is a configuration like the others, and checked like them.
  const named = flags.config === undefined ? [] : [flags.config];
  const ofConfig = new Set([...files.filter((file) => !ofPolicies.includes(file)), ...named]);
  const configs: Config[] = [];
  for (const file of ofConfig) {
    const loaded = loadConfig(file);
    if (loaded.kind === 'invalid') blame(loaded.problems, findings);
    else {
      configs.push(loaded.config);
      await checkConfig({ file, ...loaded }, flags, findings);
    }
  }
  if (ofPolicies.length > 0) {
    const surroundings = together(configs.map(surroundingsOf), cluster);
    const counts = await checkPolicies(ofPolicies, surroundings, findings);
    if (counts !== undefined) conclude(ofPolicies.join(', '), counts, findings);
  }
  return { code: findings.failed ? exitCodes.file : exitCodes.done, out: findings.out, err: findings.err };
}

/** What any of the configurations has, and the clusters that the command line names. */
function together(all: readonly Surroundings[], named: readonly string[] | undefined): Surroundings {
  const clusters = [
    ...(named === undefined ? [] : ['default', ...named]),
    ...all.flatMap((one) => one.clusters ?? []),
  ];
  const verifies = all.flatMap((one) => one.verifies ?? []);
  return {
    clusters: clusters.length > 0 ? clusters : undefined,
    verifies: verifies.length > 0 ? anyOf(verifies) : undefined,
  };
}

function anyOf(all: readonly Verifies[]): Verifies {
  return {
    users: all.some(({ users }) => users),
    apiKeys: all.some(({ apiKeys }) => apiKeys),
    issuers: all.flatMap(({ issuers }) => issuers),
  };
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

function blame(problems: readonly Problem[], findings: Findings): void {
  findings.failed = true;
  findings.err.push(...problems.map(formatProblem));
}

interface Checked {
  readonly file: string;
  readonly config: Config;
  readonly problem: (found: Finding) => Problem;
}

async function checkConfig(
  { file, config, problem }: Checked,
  flags: CheckFlags,
  findings: Findings,
): Promise<void> {
  const { listen, policies } = config;
  const machine = flags.static ? { problems: [], warnings: [] } : await examineMachine(config);
  const warnings = [...dangers(config), ...machine.warnings].map(problem);
  findings.err.push(...warnings.map(formatWarning));
  if (machine.problems.length > 0) blame(machine.problems.map(problem), findings);

  const sources = policies?.sources ?? [];
  for (const name of sources.flatMap((source) => passedOver(source) ?? [])) {
    findings.err.push(`${name}: not looked at`);
  }
  const paths = pathsOf(sources);
  const counts = paths.length > 0 ? await checkPolicies(paths, surroundingsOf(config), findings) : {};
  if (counts === undefined || machine.problems.length > 0) return;
  const clusters = clustersOf(config);
  conclude(
    file,
    {
      listeners: listen.length,
      clusters: clusters.length,
      nodes: clusters.reduce((sum, { cluster }) => sum + cluster.nodes.length, 0),
      ...counts,
      warnings: (counts.warnings ?? 0) + warnings.length,
    },
    findings,
  );
}

/** Undefined where they are not right. */
async function checkPolicies(
  paths: readonly string[],
  surroundings: Surroundings,
  findings: Findings,
): Promise<Counts | undefined> {
  const read = await readPaths(paths, surroundings);
  if (read.kind === 'invalid') {
    blame(read.problems, findings);
    return undefined;
  }
  const { policies, tests, warnings } = read;
  findings.err.push(...warnings.map(formatWarning));
  const all = tests.reduce((sum, document) => sum + document.tests.length, 0);
  return { policies: policies.length, tests: all, warnings: warnings.length };
}
