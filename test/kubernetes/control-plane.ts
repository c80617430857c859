/** A real kube-apiserver on a real etcd, both on the loopback, with data of their own that goes when they stop. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Child, freePorts, startChild, untilReady } from '../support/child.ts';

/** In milliseconds; on two busy cores a start takes five seconds. */
const startDeadline = 90_000;
const requestDeadline = 20_000;

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API server says
  readonly body: any;
}

export class ControlPlane {
  readonly #bin: string;
  readonly #home: string;
  readonly #adminToken = randomBytes(16).toString('hex');
  #ports: readonly number[] = [];
  #etcd: Child | undefined;
  #apiServer: Child | undefined;

  /** `bin` holds both programs. */
  constructor(bin: string) {
    this.#bin = bin;
    this.#home = mkdtempSync(path.join(tmpdir(), 'sluice-control-plane-'));
  }

  get certificate(): string {
    return path.join(this.#home, 'certs', 'apiserver.crt');
  }

  get port(): number {
    return this.#ports[0]!;
  }

  async start(): Promise<void> {
    this.#ports = await freePorts(3);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(this.#file('accounts.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), {
      mode: 0o600,
    });
    writeFileSync(this.#file('tokens.csv'), `${this.#adminToken},admin,admin,"system:masters"\n`, {
      mode: 0o600,
    });
    const [, client, peer] = this.#ports.map((port) => `http://127.0.0.1:${port}`);
    this.#etcd = this.#run('etcd', [
      `--data-dir=${this.#file('etcd')}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ]);
    await this.startApiServer();
  }

  async startApiServer(): Promise<void> {
    const key = this.#file('accounts.key');
    const child = this.#run('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${this.#ports[1]}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${this.port}`,
      `--cert-dir=${this.#file('certs')}`,
      '--endpoint-reconciler-type=none',
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--token-auth-file=${this.#file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--anonymous-auth=false',
      '--shutdown-watch-termination-grace-period=1s',
    ]);
    this.#apiServer = child;
    await untilReady(child, startDeadline, async () => (await this.ask('GET', '/readyz')).status === 200);
  }

  /** etcd, and so the data, stays. */
  async endApiServer(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#apiServer?.process.kill(signal);
    await this.#apiServer?.end(30_000);
  }

  async stop(): Promise<void> {
    for (const child of [this.#apiServer, this.#etcd]) {
      child?.process.kill('SIGTERM');
      await child?.end(5000);
    }
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** As the administrator, past everything that is tested. A PATCH is a merge patch. */
  ask(method: string, where: string, body?: unknown): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return new Promise((resolve, reject) => {
      request(
        {
          host: '127.0.0.1',
          port: this.port,
          path: where,
          method,
          ca: readFileSync(this.certificate),
          headers: { authorization: `Bearer ${this.#adminToken}`, 'content-type': type },
          signal: AbortSignal.timeout(requestDeadline),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = response.headers['content-type']?.startsWith('application/json');
            resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
          });
        },
      )
        .on('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** A kubeconfig for `token`, whose context names `namespace`. */
  kubeconfig(name: string, token: string, namespace: string): string {
    const file = this.#file(`${name}.kubeconfig`);
    const server = `https://127.0.0.1:${this.port}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server, 'certificate-authority': this.certificate } }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: 'test', user: name, namespace } }],
      'current-context': name,
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }

  #run(program: string, args: readonly string[]): Child {
    const log = this.#file(`${program}.log`);
    return startChild({ command: path.join(this.#bin, program), args, stdout: log, stderr: log });
  }

  #file(name: string): string {
    return path.join(this.#home, name);
  }
}
