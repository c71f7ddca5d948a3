import { toBinary } from '@bufbuild/protobuf';
import type { DescFile, DescService } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { service as healthDefinition } from 'grpc-health-check';

/** Adds grpc.reflection.v1 and v1alpha, which describe these services and the health service to tools. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file.name)) return;
    files.set(file.name, file);
    file.dependencies.forEach(add);
  };
  for (const service of services) add(service.file);
  const ours = [...files.values()].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  const health = Object.values(healthDefinition).flatMap((method) => (method as Described).requestType.fileDescriptorProtos);
  // The only part of a package definition that the reflection service reads is the encoded descriptors of its files.
  new ReflectionService({ all: { fileDescriptorProtos: [...ours, ...health] } } as never).addToServer(server);
}

/** A method as proto-loader makes it. */
interface Described {
  requestType: { fileDescriptorProtos: Buffer[] };
}
