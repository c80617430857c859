/** The routes that a real server has registered, as `test/fixtures/server-routes` holds them. */
import { readFileSync } from 'node:fs';

export interface ServerRoute {
  readonly method: string;
  /** Of its path; parameters stand in braces. */
  readonly segments: readonly string[];
  /** What the server calls the handler. */
  readonly handler: string;
}

export function readRoutes(file: URL): readonly ServerRoute[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [method = '', path = '', handler = ''] = line.split(' ');
      return { method, segments: path === '/' ? [] : path.slice(1).split('/'), handler };
    });
}
