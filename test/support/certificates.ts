/** Certificates of every kind, made anew by openssl for each run: none that expires lies in the tree. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Certificates {
  /** PEM of the authority that issued all but two of them. */
  readonly authority: string;
  /** For `es.test` and 127.0.0.1. */
  readonly good: Certificate;
  readonly expired: Certificate;
  readonly selfSigned: Certificate;
  /** For another host. */
  readonly misnamed: Certificate;
  /** From an authority that nobody knows. */
  readonly strange: Certificate;
}

const NAMES = 'DNS:es.test,IP:127.0.0.1';
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Undefined where there is no openssl. */
export function makeCertificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const pem = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pair = (name: string) => ({ key: pem(`${name}.key`), cert: pem(`${name}.pem`) });
  const selfSign = (name: string, ...more: string[]) => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    openssl('req', '-x509', ...EC, ...files, '-days', '2', '-subj', `/CN=${name}`, ...more);
    return pair(name);
  };
  const issue = (name: string, authority: string, { names = NAMES, days = '2' } = {}) => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
    openssl('req', ...EC, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.pem`];
    openssl('x509', '-req', ...by, ...files, '-days', days);
    return pair(name);
  };
  try {
    openssl('version');
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  try {
    const authority = selfSign('authority').cert;
    selfSign('stranger');
    return {
      authority,
      good: issue('good', 'authority'),
      expired: issue('expired', 'authority', { days: '-1' }),
      selfSigned: selfSign('self-signed', '-addext', `subjectAltName=${NAMES}`),
      misnamed: issue('misnamed', 'authority', { names: 'DNS:other.test' }),
      strange: issue('strange', 'stranger'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
