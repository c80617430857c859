/** The flags of the command line that are settings, laid over the document of `sluice.yaml`: flags win. */

export interface Flags {
  readonly listen?: readonly string[] | undefined;
  readonly upstream?: readonly string[] | undefined;
  readonly admin?: string | undefined;
  readonly transport?: string | undefined;
}

/** The document with flags laid over it, and which flag put a value where. */
export interface Flagged {
  readonly content: unknown;
  readonly flags: readonly { readonly flag: string; readonly path: readonly (string | number)[] }[];
}

interface Laid extends Record<string, unknown> {
  listen?: unknown;
  upstream?: unknown;
  admin?: unknown;
  transport?: unknown;
}

/**
 * The nth `--listen` takes the place of the nth listener's address and leaves its other settings; listeners
 * without a flag of their own are dropped. `--upstream` takes the place of the whole list.
 */
export function layFlags(content: unknown, { listen, upstream, admin, transport }: Flags): Flagged {
  const flags: { flag: string; path: (string | number)[] }[] = [];
  if (!isMapping(content)) return { content, flags };
  const laid: Laid = { ...content };
  if (listen !== undefined && listen.length > 0) {
    const listed = Array.isArray(laid.listen) ? laid.listen : [laid.listen];
    laid.listen = listen.map((address, index) => ({ ...mappingOr(listed[index]), address }));
    listen.forEach((_, index) => {
      flags.push({ flag: '--listen', path: ['listen', index, 'address'] });
    });
  }
  if (upstream !== undefined && upstream.length > 0) {
    laid.upstream = { ...mappingOr(laid.upstream), nodes: upstream };
    flags.push({ flag: '--upstream', path: ['upstream', 'nodes'] });
  }
  if (admin !== undefined) {
    laid.admin = { ...mappingOr(laid.admin), address: admin };
    flags.push({ flag: '--admin', path: ['admin', 'address'] });
  }
  if (transport !== undefined) {
    laid.transport = transport;
    flags.push({ flag: '--transport', path: ['transport'] });
  }
  return { content: laid, flags };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mappingOr(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {};
}
