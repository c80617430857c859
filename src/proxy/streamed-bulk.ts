/** The one endpoint to which the bounds of chunks mean something. */

const url = '/_bulk/stream';

/**
 * Whether the path (raw, as in `RequestHead.path`) is that of OpenSearch's streaming bulk, `/_bulk/stream` or
 * `/{index}/_bulk/stream`. The server reads each chunk of the request as a bulk of its own and answers it in a chunk of its own
 * (org.opensearch.rest.action.document.RestBulkStreamingAction), so that a document cut by a chunk's bound is refused.
 *
 * It errs towards more paths: another one loses nothing by chunks that are kept. The server matches the raw path,
 * so no escape has to be decoded.
 */
export function isStreamedBulk(path: string): boolean {
  return path.endsWith(url) || path.endsWith(`${url}/`);
}
