/** What a cluster needs before Sluice can take policies from it: our own manifests, a namespace, accounts. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { sleep } from '../support/deadline.ts';
import type { Answer, ControlPlane } from './control-plane.ts';

export const namespace = 'sluice';
const deploy = path.resolve(import.meta.dirname, '../../deploy');
export const policies = `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/policies`;

/** By kind: where it is created. */
const collections: Readonly<Record<string, string>> = {
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
};

/** Creates what a manifest of deploy/ holds; throws where the API server refuses any of it. */
export async function applyManifest(plane: ControlPlane, file: string): Promise<void> {
  for (const document of parseAllDocuments(readFileSync(path.join(deploy, file), 'utf8'))) {
    const object = document.toJS();
    expectCreated(await plane.ask('POST', `${collections[object.kind]}?fieldValidation=Strict`, object));
  }
}

export async function prepare(plane: ControlPlane): Promise<void> {
  const core = (kind: string, name: string) => ({ apiVersion: 'v1', kind, metadata: { name } });
  expectCreated(await plane.ask('POST', '/api/v1/namespaces', core('Namespace', namespace)));
  for (const account of ['sluice', 'reader', 'stranger']) {
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    expectCreated(await plane.ask('POST', accounts, core('ServiceAccount', account)));
  }
  await applyManifest(plane, 'rbac/policy-source.yaml');
}

/** Applies the definition and waits until policies can be had. */
export async function define(plane: ControlPlane): Promise<void> {
  await applyManifest(plane, 'crds/policy.yaml');
  const late = Date.now() + 30_000;
  while ((await plane.ask('GET', policies)).status !== 200) {
    if (Date.now() > late) throw new Error('the definition was not established in time');
    await sleep(50);
  }
}

/** A bound token of a ServiceAccount, such as the kubelet mounts. */
export async function tokenOf(plane: ControlPlane, account: string): Promise<string> {
  const where = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  return expectCreated(await plane.ask('POST', where, request)).status.token;
}

export function policy(name: string, spec: object = { order: 1 }, labels = {}) {
  return { apiVersion: 'sluice.dev/v1alpha1', kind: 'Policy', metadata: { name, labels }, spec };
}

export function expectCreated({ status, body }: Answer) {
  if (status !== 201 && status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}
