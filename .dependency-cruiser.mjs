/**
 * Who may import whom (ARCHITECTURE.md, "The house"). A folder is named once, with what it may see besides
 * itself; everything else of ours is forbidden to it. Unit tests may look further: they put parts together.
 */

/** What the lowest layer holds, and everybody may use. */
const base = ['errors\\.ts', 'exchange\\.ts', 'networks\\.ts', 'http1/'];
const contract = 'net/contract\\.ts';

/** A rule: files of `folder` import of ours only themselves and `allowed`. */
const zone = (name, folder, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^src/${folder}`, pathNot: '\\.test\\.ts$' },
  to: { path: '^src/', pathNot: [`^src/${folder}`, ...allowed.map((one) => `^src/${one}`)] },
});

const stage = (folder) =>
  zone(
    `${folder}-knows-no-other-stage`,
    `${folder}/`,
    [...base, contract],
    `${folder}/ imports errors, exchange, http1 and net/contract alone: the order of the stages is in proxy/proxy.ts`,
  );

export default {
  forbidden: [
    zone(
      'base-imports-nothing-of-ours',
      '(errors\\.ts|exchange\\.ts|networks\\.ts|http1/)',
      [],
      'errors, exchange, networks and http1 are pure and lowest: they import nothing else of ours',
    ),
    zone('net-is-below-the-stages', 'net/', base, 'net/ imports errors, exchange and http1 alone'),
    stage('listen'),
    {
      ...zone(
        'policy-knows-no-other-stage',
        'policy/',
        [...base, contract],
        'policy/ imports errors, exchange, http1 and net/contract alone: the order of the stages is in proxy/proxy.ts',
      ),
      from: { path: '^src/policy/', pathNot: ['^src/policy/read/', '\\.test\\.ts$'] },
    },
    zone(
      'policy-reading-sees-config-too',
      'policy/read/',
      [...base, contract, 'policy/', 'config/'],
      'policy/read/ imports what policy/ does, and config/, whose YAML reader and words it shares',
    ),
    {
      name: 'policies-are-read-apart',
      comment:
        'policy/read/ runs in a process of its own and on the command line: its libraries would stay in the memory of the proxy, 20 MB',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(policy/read|cli)/', '\\.test\\.ts$'] },
      to: { path: '^src/policy/read/' },
    },
    {
      name: 'schemas-and-yaml-are-read-apart',
      comment:
        'zod and yaml are for policy/read/, config/ and cli/: in the proxy they would stay in its memory',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(policy/read|config|cli)/', '\\.test\\.ts$'] },
      to: { path: '(^|node_modules/)(zod|yaml)(/|$)' },
    },
    stage('upstream'),
    stage('relay'),
    zone(
      'proxy-imports-stages-only',
      'proxy/',
      [...base, contract, 'listen/', 'policy/', 'upstream/', 'relay/'],
      'proxy/ orders the stages; transports, configuration and observers are handed to it by main.ts',
    ),
    zone(
      'observe-sees-the-record-only',
      'observe/',
      ['errors\\.ts', 'exchange\\.ts'],
      'observe/ imports errors and exchange alone: whatever else it shows is handed to it',
    ),
    zone(
      'config-stands-alone',
      'config/',
      ['networks\\.ts'],
      'config/ imports of ours networks.ts alone: it only reads and checks',
    ),
    zone(
      'admin-stands-alone',
      'admin/',
      base,
      'admin/ imports errors, exchange and http1 alone: what it tells is handed to it',
    ),
    zone(
      'cli-talks-through-the-admin-contract',
      'cli/',
      [...base, 'config/', 'policy/', 'admin/contract\\.ts'],
      'cli/ imports config, policy and admin/contract alone: a running proxy is reached over its admin address',
    ),
    {
      name: 'main-is-imported-by-nobody',
      comment: 'main.ts builds and wires; what it holds is of use to nobody else',
      severity: 'error',
      from: { path: '^(src|test|bench)/', pathNot: '^src/start\\.ts$' },
      to: { path: '^src/main\\.ts$' },
    },
    {
      name: 'engine-is-behind-net',
      comment: 'the native engine is imported by net/engine.ts alone',
      severity: 'error',
      from: { pathNot: ['^engine/', '^src/net/engine\\.ts$'] },
      to: { path: '^engine/' },
    },
    {
      name: 'engine-imports-nothing-of-ours',
      comment: 'engine/ is a package of its own',
      severity: 'error',
      from: { path: '^engine/' },
      to: { path: '^(src|test|bench|deploy|infra|subnets)/' },
    },
    {
      name: 'src-imports-src-only',
      comment: 'src/ imports nothing of deploy, infra, subnets, bench or test',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(deploy|infra|subnets|bench|test|tools)/' },
    },
    {
      name: 'no-cycle',
      comment: 'files that import each other are one file, or lack a third',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'no-development-dependency',
      comment: 'what runs in production is in "dependencies" of package.json',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'imports-resolve',
      comment: 'the file or package does not exist',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Types count: a stage that names another's types knows it.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
    },
  },
};
