/** The commands on policies: what they are given. What they do is loaded when one is called. */
import { type Command, Option } from 'commander';
import { defaults } from '../config/defaults.ts';
import type { ExitCode } from './actions.ts';
import type { CheckFlags } from './check/check.ts';
import type { ExplainFlags } from './policies-explain.ts';
import type { HashFlags } from './policies-hash.ts';
import type { Given } from './policies-input.ts';
import type { ShowFlags } from './policies-show.ts';
import { tell } from './told.ts';

export function addPolicyCommands(program: Command, finish: (code: ExitCode) => void): void {
  const config = () =>
    new Option('-c, --config <file>', 'sluice.yaml: its clusters, its default, its sources');
  const fallback = () =>
    new Option('--default <verdict>', 'of what no policy matches').choices(['allow', 'deny']);

  program
    .command('check')
    .description('check configuration or policies: 0 if all is right, 4 with every mistake otherwise')
    .argument('<file...>', 'sluice.yaml, or files and directories of policies')
    .option('-c, --config <file>', 'one more sluice.yaml, for the clusters and principals that policies name')
    .option(
      '--cluster <name>',
      'a cluster that policies may name (repeatable); without any, all are',
      collect,
    )
    .option(
      '--static',
      'look at nothing else of this machine: files that are named, names of nodes, the kernel',
    )
    .option('--strict', 'end with 4 for warnings, too')
    .action(async (files: string[], flags: Omit<CheckFlags, 'files'>) => {
      const { check } = await import('./check/check.ts');
      finish(tell(await check({ files, ...flags })));
    });

  program
    .command('explain')
    .description('tell what would become of a request, and why')
    .option('--policies <path...>', 'files and directories of policies; absent are those of --config')
    .addOption(config())
    .option('--method <method>', 'of the request', 'GET')
    .requiredOption('--path <path>', 'as a client sends it: encoded, with its query')
    .option('--header <line>', "as a client sends it: 'x-team: a' (repeatable)", collect)
    .option('--source <address>', "the client's", '127.0.0.1')
    .option('--length <size>', 'of the body: bytes, 100MB, or chunked; absent is no body')
    .option(
      '--principal <who>',
      'user:NAME, claimed-user:NAME, api-key:ID, claimed-api-key:ID or token:ISSUER:SUBJECT[:CLAIM=VALUE,...] (repeatable)',
      collect,
    )
    .option('--time <moment>', '2026-11-23T10:00:00Z; absent is now')
    .addOption(fallback())
    .option('--json', 'print JSON')
    .action(async ({ policies = [], ...flags }: ExplainFlags & { policies?: string[] }) => {
      const { explainRequest } = await import('./policies-explain.ts');
      finish(tell(await explainRequest({ ...flags, paths: policies })));
    });

  program
    .command('test')
    .description('run the tests among policies: 0 if all pass, 4 with every difference otherwise')
    .argument('[path...]', 'files and directories of policies and their tests; absent are those of --config')
    .addOption(config())
    .addOption(fallback())
    .action(async (paths: string[], flags: Omit<Given, 'paths'>) => {
      const { testPolicies } = await import('./policies-test.ts');
      finish(tell(await testPolicies({ ...flags, paths })));
    });

  program
    .command('policies')
    .description('show the policies of a running proxy, and how often each decided: 6 if they are stale')
    .option('--admin <host:port>', 'where it serves /policies', defaults.admin)
    .option('--json', 'print JSON')
    .action(async (flags: ShowFlags) => {
      const { showPolicies } = await import('./policies-show.ts');
      finish(tell(await showPolicies(flags)));
    });

  program
    .command('hash')
    .description('print the hash of a secret that is piped in, for the files of users and API keys')
    .option('--api-key', 'of an API key: a bare digest, which is enough for what nobody can guess')
    .action(async (flags: HashFlags) => {
      const { hash } = await import('./policies-hash.ts');
      finish(tell(await hash(process.stdin, flags)));
    });
}

/** Of an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
