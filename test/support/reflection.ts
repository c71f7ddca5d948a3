/* eslint-disable millrace/layers -- a client that knows nothing of src/rpc, as grpcurl does */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  create,
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type FileRegistry,
  type JsonValue,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ClientDuplexStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

interface Answer {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
}

/** A client that knows nothing of Millrace but the address and the token, as grpcurl does: it asks the server what there is to call. */
export interface GenericClient {
  /** Names of the services. */
  services: string[];
  /** Calls a unary method with JSON. Rejects with the status (`code`, `details`, `metadata`). */
  call(method: string, request: JsonValue, deadlineMs?: number): Promise<JsonValue>;
  /** Status number of a service in the health protocol: 1 is serving. */
  health(service: string): Promise<number>;
  /** Calls a method that streams its answers, and gives them as they come. */
  stream(method: string, request: JsonValue): AsyncIterable<JsonValue>;
  close(): void;
}

export async function connectByReflection(address: string, token?: string): Promise<GenericClient> {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const client = new Client(address, credentials.createInsecure());
  const { services, registry } = await askServer(address);
  const prepare = (path: string) => {
    const [service, name] = path.split('/') as [string, string];
    const method = registry.getService(service)?.methods.find((candidate) => candidate.name === name);
    if (!method) throw new Error(`the server describes no ${path}`);
    return {
      path: `/${path}`,
      write: (json: JsonValue) => Buffer.from(toBinary(method.input, fromJson(method.input, json, { registry }))),
      read: (bytes: Buffer) => toJson(method.output, fromBinary(method.output, bytes), { registry }),
    };
  };
  return {
    services,
    call: (name, request, deadlineMs = 10_000) => {
      const { path, write, read } = prepare(name);
      const deadline = Date.now() + deadlineMs;
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, write, read, request, metadata, { deadline }, (error, json) =>
          error ? reject(error) : resolve(json!),
        );
      });
    },
    health: (service) => {
      // HealthCheckRequest and HealthCheckResponse have one field each: a text, and a number.
      const write = (name: string): Buffer => Buffer.from([0x0a, name.length, ...Buffer.from(name)]);
      const read = (bytes: Buffer): number => (bytes[0] === 0x08 ? bytes[1]! : 0);
      const deadline = Date.now() + 10_000;
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          write,
          read,
          service,
          new Metadata(),
          { deadline },
          (error, status) => (error ? reject(error) : resolve(status!)),
        );
      });
    },
    stream: (name, request) => {
      const { path, write, read } = prepare(name);
      return client.makeServerStreamRequest(path, write, read, request, metadata) as AsyncIterable<JsonValue>;
    },
    close: () => client.close(),
  };
}

async function askServer(address: string): Promise<{ services: string[]; registry: FileRegistry }> {
  const packageFolder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
  const proto = join(packageFolder, 'build/proto/grpc/reflection/v1/reflection.proto');
  let at: unknown = loadPackageDefinition(loadSync(proto, { oneofs: true }));
  for (const name of ['grpc', 'reflection', 'v1', 'ServerReflection']) at = (at as Record<string, unknown>)[name];
  const client = new (at as ServiceClientConstructor)(address, credentials.createInsecure());
  const stream = (client['serverReflectionInfo'] as () => ClientDuplexStream<object, Answer>).call(client);
  const ask = (request: object): Promise<Answer> =>
    new Promise((resolve, reject) => {
      stream.once('error', reject);
      stream.once('data', resolve);
      stream.write(request);
    });

  const services = (await ask({ listServices: '*' })).listServicesResponse!.service.map(({ name }) => name);
  const files = new Map<string, FileDescriptorProto>();
  const load = async (request: object): Promise<void> => {
    for (const bytes of (await ask(request)).fileDescriptorResponse?.fileDescriptorProto ?? []) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      if (files.has(file.name)) continue;
      files.set(file.name, file);
      for (const filename of file.dependency) if (!files.has(filename)) await load({ fileByFilename: filename });
    }
  };
  for (const symbol of services.filter((name) => name.startsWith('millrace.'))) await load({ fileContainingSymbol: symbol });
  stream.end();
  client.close();

  const sorted = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto | undefined): void => {
    if (!file || sorted.has(file)) return;
    for (const name of file.dependency) visit(files.get(name));
    sorted.add(file);
  };
  files.forEach(visit);
  return { services, registry: createFileRegistry(create(FileDescriptorSetSchema, { file: [...sorted] })) };
}
