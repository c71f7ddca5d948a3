import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { Client, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import type { ClientDuplexStream, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, describe, expect, it } from 'vitest';
import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import { defineService } from './handlers.ts';
import type { Handlers } from './handlers.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';

interface ReflectionResponse {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  errorResponse?: { errorCode: number; errorMessage: string };
}

/** A client that knows nothing but the reflection protocol, as grpcurl does. */
class ReflectionClient {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<object, ReflectionResponse>;

  constructor(address: string, version: 'v1' | 'v1alpha') {
    const folder = join(
      dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
      'build/proto/grpc/reflection',
    );
    const definition = loadPackageDefinition(
      loadSync(join(folder, version, 'reflection.proto'), { longs: Number, oneofs: true }),
    );
    let at: unknown = definition;
    for (const name of ['grpc', 'reflection', version, 'ServerReflection']) at = (at as Record<string, unknown>)[name];
    const Service = at as ServiceClientConstructor;
    const client = new Service(address, credentials.createInsecure());
    this.#client = client;
    this.#stream = (client['serverReflectionInfo'] as () => ClientDuplexStream<object, ReflectionResponse>).call(client);
    this.#stream.on('error', () => {});
  }

  ask(request: object): Promise<ReflectionResponse> {
    return new Promise((resolve) => {
      this.#stream.once('data', resolve);
      this.#stream.write(request);
    });
  }

  close(): void {
    this.#stream.end();
    this.#client.close();
  }
}

describe('reflection', () => {
  let server: RunningServer | undefined;
  afterEach(() => server?.stop(500));

  async function start(token?: string): Promise<RunningServer> {
    const nothing = Object.fromEntries(AdminService.methods.map(({ localName }) => [localName, () => ({})]));
    const handlers = {
      ...nothing,
      getJob: ({ jobId }: { jobId: string }) => ({ job: { id: jobId, createTime: { seconds: 5n, nanos: 0 } } }),
    };
    server = await startServer({
      services: [defineService(AdminService, handlers as unknown as Handlers<typeof AdminService>)],
      token,
    });
    return server;
  }

  for (const version of ['v1', 'v1alpha'] as const) {
    it(`lets a client that knows nothing find and call a method (${version})`, async () => {
      const { address } = await start();
      const reflection = new ReflectionClient(address, version);
      const { listServicesResponse } = await reflection.ask({ listServices: '*' });
      const names = listServicesResponse?.service.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['millrace.v1.AdminService', 'grpc.health.v1.Health']));

      const files = new Map<string, FileDescriptorProto>();
      const load = (response: ReflectionResponse): void => {
        for (const bytes of response.fileDescriptorResponse?.fileDescriptorProto ?? []) {
          const file = fromBinary(FileDescriptorProtoSchema, bytes);
          files.set(file.name, file);
        }
      };
      load(await reflection.ask({ fileContainingSymbol: 'millrace.v1.AdminService' }));
      for (const file of [...files.values()]) {
        for (const name of file.dependency) if (!files.has(name)) load(await reflection.ask({ fileByFilename: name }));
      }
      reflection.close();

      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: sortedByDependency(files) }));
      const method = registry.getService('millrace.v1.AdminService')?.methods.find(({ name }) => name === 'GetJob');
      if (!method) throw new Error('GetJob is not described');
      const client = new Client(address, credentials.createInsecure());
      const response = await new Promise<unknown>((resolve, reject) => {
        client.makeUnaryRequest(
          '/millrace.v1.AdminService/GetJob',
          (json: object) => Buffer.from(toBinary(method.input, fromJson(method.input, json as never, { registry }))),
          (bytes) => toJson(method.output, fromBinary(method.output, bytes), { registry }),
          { jobId: 'seen' },
          new Metadata(),
          { deadline: Date.now() + 5000 },
          (error, json) => (error ? reject(error) : resolve(json)),
        );
      });
      client.close();
      expect(response).toEqual({ job: { id: 'seen', createTime: '1970-01-01T00:00:05Z' } });
    });
  }

  it('says so when there is no such symbol, and needs no token', async () => {
    const { address } = await start('secret token');
    const reflection = new ReflectionClient(address, 'v1');
    expect((await reflection.ask({ fileContainingSymbol: 'no.Such' })).errorResponse).toMatchObject({ errorCode: 5 });
    expect((await reflection.ask({ listServices: '*' })).listServicesResponse?.service.length).toBeGreaterThan(0);
    reflection.close();
  });
});

function sortedByDependency(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto | undefined): void => {
    if (!file || sorted.has(file)) return;
    for (const name of file.dependency) visit(files.get(name));
    sorted.add(file);
  };
  files.forEach(visit);
  return [...sorted];
}
