/**
 * Fetches what the suite needs and the cache has not got: the servers' jars by Maven, the Python clients by pip.
 * Run once before the tests, so that no test waits for a registry.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cached, here } from './cache.ts';
import { type Choice, choices, type ServerKind, servers } from './catalogue.ts';
import { chooseServer } from './java.ts';

/** Runs `make` unless the folder was made from the same `recipe`; one that was cut short is made anew. */
function once(folder: string, recipe: string, make: () => void): void {
  const mark = path.join(folder, '.made-from');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === recipe) return;
  console.log(`fetching ${path.basename(folder)}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  make();
  writeFileSync(mark, recipe);
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: 600_000 });
}

function fetchServer(name: string, kind: ServerKind): void {
  const pom = path.join(here, 'servers', 'pom.xml');
  const properties = [
    `-Dserver.group=${kind.group}`,
    `-Dserver.artifact=${kind.artifact}`,
    `-Dserver.http=${kind.http}`,
    `-Dserver.version=${kind.version}`,
    `-Dlog4j.version=${kind.log4j}`,
    ...(kind.streaming === undefined ? [] : [`-Dserver.streaming=${kind.streaming}`]),
  ];
  const folder = cached('servers', name);
  once(folder, [readFileSync(pom, 'utf8'), ...properties].join('\n'), () => {
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
    const lib = path.join(folder, 'lib');
    const module = path.join(folder, 'module');
    run('mvn', [
      '-B',
      '-q',
      '-ntp',
      '-Dstyle.color=never',
      '-f',
      pom,
      ...properties,
      goal,
      `-DoutputDirectory=${lib}`,
    ]);
    mkdirSync(module);
    if (!kind.loadsModule) return;
    for (const jar of readdirSync(lib)) {
      if (/^(netty|transport-netty4)-/.test(jar)) renameSync(path.join(lib, jar), path.join(module, jar));
    }
  });
}

/** One folder per client, since two versions of one package can't share an interpreter's own. */
function fetchPythonClients(): void {
  const venv = path.join(cached(), 'venv');
  if (!existsSync(path.join(venv, 'bin', 'pip'))) run('python3', ['-m', 'venv', venv]);
  for (const file of readdirSync(path.join(here, 'python')).filter((name) => name.endsWith('.txt'))) {
    const requirements = path.join(here, 'python', file);
    const folder = cached('python', path.basename(file, '.txt'));
    once(folder, readFileSync(requirements, 'utf8'), () => {
      const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps'];
      run(path.join(venv, 'bin', 'pip'), ['install', ...quiet, '--target', folder, '-r', requirements]);
    });
  }
}

// What a run that was cut short has left behind.
rmSync(cached('run'), { recursive: true });
for (const choice of Object.keys(choices) as Choice[]) {
  const chosen = chooseServer(choice);
  if (chosen) fetchServer(chosen.name, servers[chosen.name]);
}
fetchPythonClients();
