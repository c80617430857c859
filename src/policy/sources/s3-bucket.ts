/**
 * An S3 bucket, by the AWS SDK. That takes 35 MB of memory, so it is an optional package, loaded by those alone who
 * ask for S3.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { bounds, decodeText, isPolicyFile, overBounds, type Unreachable, unreachable } from './polling.ts';
import type { SourceText } from './source.ts';

/** Credentials come by the SDK's default chain: environment, web identity (IRSA), Pod Identity, container, instance. */
export interface S3Options {
  readonly bucket: string;
  readonly objects: { readonly key: string } | { readonly prefix: string };
  /** The environment's unless told. */
  readonly region?: string | undefined;
  /** Another service with S3's API, as a URL. */
  readonly endpoint?: string | undefined;
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  readonly pathStyle?: boolean | undefined;
  /** Between two listings, in milliseconds, 10,000 unless told; give or take a tenth, and longer after failures. */
  readonly interval?: number | undefined;
  /** Of each request, in milliseconds, 10,000 unless told. */
  readonly timeout?: number | undefined;
}

export interface Listed {
  readonly key: string;
  /** `s3://bucket/key`. */
  readonly name: string;
  readonly etag: string;
  /** In bytes. */
  readonly size: number;
}

type Sdk = typeof import('@aws-sdk/client-s3');

/** Keys looked at, policies or not: a prefix with more is the wrong one. */
const maxKeys = 4 * bounds.files;

/** Requests that fail throw what the SDK throws; `wording` explains it. */
export class Bucket {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #options: S3Options;

  private constructor(sdk: Sdk, options: S3Options) {
    const { region, endpoint, pathStyle = false } = options;
    this.#sdk = sdk;
    this.#options = options;
    this.#client = new sdk.S3Client({
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: pathStyle,
      maxAttempts: 2,
    });
  }

  static async open(options: S3Options): Promise<Bucket | Unreachable> {
    try {
      return new Bucket(await import('@aws-sdk/client-s3'), options);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return unreachable(
        code === 'ERR_MODULE_NOT_FOUND'
          ? 'the package @aws-sdk/client-s3 is not installed; run npm install @aws-sdk/client-s3'
          : `the AWS SDK can not be used: ${message}; check the endpoint and the region`,
      );
    }
  }

  /** The policy files, in the order of their keys. */
  async list(signal: AbortSignal): Promise<Listed[] | Unreachable> {
    const { objects } = this.#options;
    const listed =
      'key' in objects ? [await this.#head(objects.key, signal)] : await this.#below(objects.prefix, signal);
    if ('kind' in listed) return listed;
    const wrong = overBounds(listed);
    return wrong === undefined ? listed : unreachable(wrong);
  }

  /** `moving` where the object is no longer as it was listed. */
  async fetch(
    { key, name, etag, size }: Listed,
    signal: AbortSignal,
  ): Promise<SourceText | Unreachable | 'moving'> {
    const limit = this.#limit(signal);
    try {
      const get = new this.#sdk.GetObjectCommand({ Bucket: this.#options.bucket, Key: key, IfMatch: etag });
      const { Body, ContentLength } = await this.#client.send(get, limit);
      if (!Body) return 'moving';
      // The SDK's own signal ends with the head of the answer; the body could stall for ever.
      addAbortSignal(limit.abortSignal, Body as Readable);
      if (ContentLength !== size) {
        (Body as Readable).destroy();
        return 'moving';
      }
      const bytes = await Body.transformToByteArray();
      if (bytes.length !== size) return 'moving';
      const text = decodeText(bytes);
      return text === undefined ? unreachable(`${name} is not UTF-8; upload it as UTF-8`) : { name, text };
    } catch (error) {
      const status = statusOf(error);
      if (status === 412 || status === 404) return 'moving';
      throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  /** What went wrong, and how to mend it. */
  wording(error: unknown): string {
    const { bucket, objects, timeout = 10_000 } = this.#options;
    const { name = '', message = '' } = error as Error;
    const status = statusOf(error);
    if (name === 'TimeoutError' || name === 'AbortError') {
      return `no complete answer within ${timeout} ms; check the endpoint and the way there`;
    }
    if (status === 301 || status === 307)
      return `the bucket ${bucket} is in another region; set region to that`;
    if (name === 'NoSuchBucket') return `there is no bucket ${bucket}; create it, or correct its name`;
    if (status === 404) return 'there is no such object; upload it, or correct the key';
    if (status === 403) {
      const needed =
        'key' in objects
          ? `s3:GetObject on ${bucket}/${objects.key}, and s3:ListBucket to tell a missing object from a forbidden one`
          : `s3:ListBucket on ${bucket} and s3:GetObject on ${bucket}/${objects.prefix}*`;
      return `access is denied (${name}); allow ${needed}`;
    }
    if (name === 'CredentialsProviderError') {
      return 'there are no AWS credentials; give the pod a role (IRSA, Pod Identity), or set AWS_ACCESS_KEY_ID';
    }
    if (message === 'Region is missing') return 'there is no region; set region, or AWS_REGION';
    return `${message.slice(0, 200) || name}; check the endpoint and the region`;
  }

  async #head(key: string, signal: AbortSignal): Promise<Listed> {
    const head = new this.#sdk.HeadObjectCommand({ Bucket: this.#options.bucket, Key: key });
    const { ETag = '', ContentLength = 0 } = await this.#client.send(head, this.#limit(signal));
    return this.#listed(key, ETag, ContentLength);
  }

  async #below(prefix: string, signal: AbortSignal): Promise<Listed[] | Unreachable> {
    const found: Listed[] = [];
    let keys = 0;
    let from = {};
    for (;;) {
      const list = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#options.bucket,
        Prefix: prefix,
        ...from,
      });
      const {
        Contents = [],
        IsTruncated,
        NextContinuationToken,
      } = await this.#client.send(list, this.#limit(signal));
      for (const { Key = '', ETag = '', Size = 0 } of Contents) {
        if (isPolicyFile(Key.slice(Key.lastIndexOf('/') + 1))) found.push(this.#listed(Key, ETag, Size));
      }
      keys += Contents.length;
      if (!IsTruncated || NextContinuationToken === undefined) break;
      if (keys >= maxKeys) return unreachable(`there are more than ${maxKeys} objects; name a longer prefix`);
      from = { ContinuationToken: NextContinuationToken };
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #listed(key: string, etag: string, size: number): Listed {
    return { key, name: `s3://${this.#options.bucket}/${key}`, etag, size };
  }

  #limit(signal: AbortSignal): { readonly abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeout ?? 10_000)]) };
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
