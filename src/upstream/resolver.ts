/** From a name to its addresses. */
import { lookup } from 'node:dns/promises';

/** Every address of a name, at least one; rejects with the system's error, which has a `code`. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/**
 * The system's own way, getaddrinfo: only it knows /etc/hosts and the search domains of Kubernetes. It tells no TTL,
 * has no deadline, and takes a thread of libuv's pool, which keeps half of its threads for other work.
 */
export const systemResolver: Resolver = async (name) => {
  const answers = await lookup(name, { all: true, order: 'verbatim' });
  return answers.map(({ address }) => address);
};

/** However many ask for a name at once, it is looked up once. A resolver that hangs so holds one thread a name. */
export function oneAtATime(resolver: Resolver): Resolver {
  const underWay = new Map<string, Promise<readonly string[]>>();
  return (name) => {
    const known = underWay.get(name);
    if (known !== undefined) return known;
    const asked = resolver(name).finally(() => underWay.delete(name));
    underWay.set(name, asked);
    return asked;
  };
}
