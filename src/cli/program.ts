/** The command line. It reads arguments and configuration; what is then run is handed in by main.ts. */
import { Command, CommanderError, Option } from 'commander';
import type { Flags } from '../config/flags.ts';
import { loadConfig } from '../config/load.ts';
import { referenceTable } from '../config/reference.ts';
import { jsonSchema } from '../config/schema.ts';
import { type Actions, type ExitCode, exitCodes, handOverFlag, type Start } from './actions.ts';
import { addPolicyCommands, collect } from './policies-commands.ts';
import { failed, tell } from './told.ts';
import { version } from './version.ts';

interface RunFlags extends Flags {
  readonly config?: string;
  readonly printConfig?: boolean;
  readonly handOver?: boolean;
}

/** As `execute`, with everything in this process. Rejects when what is run does. */
export async function executeHere(argv: readonly string[], actions: Actions): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const finish = (end: ExitCode): void => {
    code = end;
  };
  try {
    await build(actions, finish).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // commander has told it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.commandLine;
    throw error;
  }
}

function build(actions: Actions, finish: (code: ExitCode) => void): Command {
  const program = new Command('sluice')
    .description('A non-buffering HTTP/1.1 proxy for Elasticsearch and OpenSearch.')
    .version(version, '-V, --version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what there is)');

  program
    .command('run')
    .description('run the proxy until SIGTERM')
    .option('-c, --config <file>', 'sluice.yaml; flags win over it')
    .option('--listen <host:port>', 'where to accept clients (repeatable)', collect)
    .option('--upstream <url>', 'a node of the cluster (repeatable)', collect)
    .option('--admin <host:port>', 'where to serve /livez, /readyz and /metrics')
    .option('--transport <kind>', 'auto, engine or streams')
    .option('--print-config', 'print the configuration, complete and checked, as JSON and end')
    .addOption(new Option(handOverFlag).hideHelp())
    .action(async ({ config: file, printConfig, handOver, ...flags }: RunFlags) => {
      const loaded = loadConfig(file, flags);
      if (loaded.kind === 'invalid') return finish(tell(failed(loaded.problems)));
      if (printConfig) return console.log(JSON.stringify(loaded.config, null, 2));
      if (handOver) return console.log(JSON.stringify({ file, config: loaded.config } satisfies Start));
      finish(await actions.run(loaded.config, file));
    });

  addPolicyCommands(program, finish);

  program
    .command('schema')
    .description('print the JSON Schema of sluice.yaml, for editors')
    .option('--policies', 'that of policies and their tests instead')
    .option('--table', 'print it as the Markdown tables of the documentation')
    .action(async ({ policies, table }: { policies?: boolean; table?: boolean }) => {
      if (policies) {
        const { policyJsonSchema, policyTables } = await import('../policy/read/print.ts');
        console.log(table ? policyTables() : JSON.stringify(policyJsonSchema(), null, 2));
      } else console.log(table ? referenceTable(jsonSchema()) : JSON.stringify(jsonSchema(), null, 2));
    });

  program
    .command('demo')
    .description('stream 100 MB of real rows up and 100 MB down through a proxy of its own')
    .action(async () => finish(await (await import('./demo.ts')).demo(process.stdout)));

  program
    .command('demo-origin', { hidden: true })
    .action(async () => (await import('./demo-origin.ts')).serveOrigin());

  return program;
}
