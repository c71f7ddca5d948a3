import type { S3Client } from '@aws-sdk/client-s3';
import type { MillraceError } from '../../errors.ts';
import type { S3Place } from './address.ts';
import { isNoSuchKey, s3Error } from './errors.ts';

/** The module of the client library. */
export type S3Library = typeof import('@aws-sdk/client-s3');

/** What is known of an object. */
export interface S3Object {
  key: string;
  /** Bytes. */
  size: number;
  /** Without quotes. */
  etag: string;
  /** When it was last written, in Unix milliseconds. */
  putAt: number;
}

/** The objects of a bucket: each call is one of the API's, with errors in our words. */
export class S3Objects {
  readonly place: S3Place;
  readonly #library: S3Library;
  readonly #client: S3Client;

  constructor(library: S3Library, client: S3Client, place: S3Place) {
    this.#library = library;
    this.#client = client;
    this.place = place;
  }

  /** The bucket and prefix in words. */
  get where(): string {
    return `s3://${this.place.bucket}/${this.place.prefix}`;
  }

  close(): void {
    this.#client.destroy();
  }

  error(thrown: unknown, what: string): MillraceError {
    return s3Error(thrown, this.place, what);
  }

  /** Undefined when there is none. */
  async head(key: string): Promise<S3Object | undefined> {
    const head = new this.#library.HeadObjectCommand({ Bucket: this.place.bucket, Key: key });
    try {
      const { ContentLength = 0, ETag = '', LastModified } = await this.#client.send(head);
      return { key, size: ContentLength, etag: ETag.replaceAll('"', ''), putAt: LastModified?.getTime() ?? 0 };
    } catch (thrown) {
      if (isNoSuchKey(thrown)) return undefined;
      throw this.error(thrown, `${key} cannot be looked at`);
    }
  }

  /** Content from `offset` on. Errors are the library's: {@link isNoSuchKey}, {@link error}. */
  async open(key: string, offset: number): Promise<AsyncIterable<Uint8Array>> {
    const Range = offset === 0 ? undefined : `bytes=${offset}-`;
    try {
      const get = new this.#library.GetObjectCommand({ Bucket: this.place.bucket, Key: key, Range });
      return (await this.#client.send(get)).Body as AsyncIterable<Uint8Array>;
    } catch (thrown) {
      // All of it had been read when the connection broke.
      if ((thrown as { name?: string }).name === 'InvalidRange') return nothing();
      throw thrown;
    }
  }

  /** Objects under the prefix, those in folders below it left out. */
  async *list(): AsyncIterable<S3Object> {
    const { bucket, prefix } = this.place;
    let ContinuationToken: string | undefined;
    do {
      const request = new this.#library.ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        Delimiter: '/',
        ContinuationToken,
      });
      const page = await this.#do('artifacts cannot be listed', () => this.#client.send(request));
      for (const { Key: key = '', Size: size = 0, ETag: etag = '', LastModified } of page.Contents ?? [])
        yield { key, size, etag, putAt: LastModified?.getTime() ?? 0 };
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async remove(key: string): Promise<void> {
    const remove = new this.#library.DeleteObjectCommand({ Bucket: this.place.bucket, Key: key });
    await this.#do(`${key} cannot be removed`, () => this.#client.send(remove));
  }

  async put(key: string, Body: Uint8Array): Promise<void> {
    const put = new this.#library.PutObjectCommand({ Bucket: this.place.bucket, Key: key, Body });
    await this.#do(`${key} cannot be written`, () => this.#client.send(put));
  }

  /** The object appears when the last call ends; until then, and where one fails, there is none. */
  async putInParts(Key: string, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const what = `${Key} cannot be written`;
    const target = { Bucket: this.place.bucket, Key };
    const { CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand, AbortMultipartUploadCommand } =
      this.#library;
    const { UploadId } = await this.#do(what, () => this.#client.send(new CreateMultipartUploadCommand(target)));
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for await (const Body of parts) {
        const PartNumber = Parts.length + 1;
        const upload = new UploadPartCommand({ ...target, UploadId, PartNumber, Body });
        const { ETag } = await this.#do(what, () => this.#client.send(upload));
        Parts.push({ ETag, PartNumber });
      }
      const complete = new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } });
      await this.#do(what, () => this.#client.send(complete));
    } catch (thrown) {
      await this.#client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => {});
      throw thrown;
    }
  }

  /** Copies an object onto itself, which makes its time now. False where it is gone, or the store does not do that. */
  async renew(Key: string): Promise<boolean> {
    const { bucket: Bucket } = this.place;
    const copy = new this.#library.CopyObjectCommand({
      ...{ Bucket, Key, CopySource: `${Bucket}/${Key}`, MetadataDirective: 'REPLACE' },
      Metadata: { put: 'again' },
    });
    return this.#client.send(copy).then(
      () => true,
      () => false,
    );
  }

  /** Ends uploads in parts that began before a time and were not completed; where the store does not list them, its lifecycle rules have to. */
  async endUploads(before: number): Promise<void> {
    const { bucket: Bucket, prefix: Prefix } = this.place;
    const { ListMultipartUploadsCommand, AbortMultipartUploadCommand } = this.#library;
    const list = new ListMultipartUploadsCommand({ Bucket, Prefix });
    const listed = await this.#do('uploads cannot be listed', () => this.#client.send(list)).catch((error: unknown) => {
      if ((error as MillraceError).code === 'unimplemented') return undefined;
      throw error;
    });
    for (const { Key, UploadId, Initiated } of listed?.Uploads ?? []) {
      if ((Initiated?.getTime() ?? Infinity) >= before) continue;
      const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
      await this.#do('an upload cannot be ended', () => this.#client.send(abort));
    }
  }

  async #do<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (thrown) {
      throw this.error(thrown, what);
    }
  }
}

async function* nothing(): AsyncIterable<Uint8Array> {
  // No bytes.
}
