import { chmodSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { JoinService, type JoinFile, type JoinResponse } from '../../src/gen/millrace/v1/join_pb.ts';
import { authorityFingerprint, makeRequest } from '../../src/identity/authority.ts';
import { createClient } from '../../src/rpc/client.ts';
import { checkHost } from '../join/host-name.ts';
import { joinRoles } from '../join/join-roles.ts';
import { parseJoinToken, type JoinToken } from '../join/token.ts';
import type { CliContext } from './context.ts';
import { readTokenFile } from './token-file.ts';

/** What `millrace join` is asked for. */
export interface JoinOptions {
  address: string;
  out: string;
  advertise?: string | undefined;
  roles?: string | undefined;
}

/** Joins a cluster and writes what its nodes on this host need. The private key is made here and never leaves this host. */
export async function joinHost(context: CliContext, options: JoinOptions): Promise<{ folder: string; roles: string[] }> {
  const { address, out, advertise = hostname(), roles: wanted } = options;
  checkHost(advertise, '--advertise');
  const roles = wanted === undefined ? [] : joinRoles(wanted.split(','), '--roles');
  const token = await readToken(context);
  const folder = resolve(context.cwd, out);
  makeEmptyFolder(folder);
  try {
    const { request, key } = await makeRequest(advertise);
    const answer = await exchange(address, token, { certificateRequest: request, roles, host: advertise });
    writeFiles(folder, answer.files, key);
    return { folder, roles: answer.roles };
  } catch (thrown) {
    removeIfEmpty(folder);
    throw thrown;
  }
}

/** Sends the token's secret only to a coordinator of the cluster that made the token. */
async function exchange(
  address: string,
  token: JoinToken,
  request: { certificateRequest: string; roles: string[]; host: string },
): Promise<JoinResponse> {
  const ca = await pinnedAuthority(address, token);
  const client = createClient(JoinService, address, { trust: { ca, role: 'coordinator' } });
  try {
    return await client.join({ secret: token.secret, ...request });
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    // It is about this token, not about that of the admin API.
    if (error.code !== 'unauthenticated') throw error;
    throw new MillraceError(error.code, error.message, { cause: error, field: 'token' });
  } finally {
    client.close();
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something is in it.
  }
}

/** The authority's certificate, from the server and checked against the token's fingerprint. Nothing secret is sent to the unverified server. */
async function pinnedAuthority(address: string, { authority }: JoinToken): Promise<string> {
  const client = createClient(JoinService, address, { trust: 'any' });
  try {
    const { certificate } = await client.getAuthority({});
    if (fingerprintOf(certificate) === authority) return certificate;
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    if (error.code === 'unavailable') throw new MillraceError(error.code, error.message, { cause: error, field: 'address' });
    if (error.code !== 'unimplemented') throw error;
    throw new MillraceError('failed_precondition', `No host can join through ${address}: it is no coordinator with TLS.`, {
      cause: error,
      field: 'address',
    });
  } finally {
    client.close();
  }
  throw new MillraceError(
    'permission_denied',
    `The server at ${address} is not of the cluster that made the token: its authority has another fingerprint. Either the address is wrong, or somebody is between (a man in the middle). The token was not sent.`,
    { field: 'address' },
  );
}

function fingerprintOf(certificate: string): string | undefined {
  try {
    return authorityFingerprint(certificate);
  } catch {
    return undefined;
  }
}

/** Longest input that is read as a token, in characters. */
const MOST = 4096;

async function readToken({ flags, env, cwd, stdin }: CliContext): Promise<JoinToken> {
  if (flags.token === '-') {
    let text = '';
    if (stdin !== undefined)
      for await (const chunk of stdin) {
        text += String(chunk);
        if (text.length > MOST) break;
      }
    return parseJoinToken(text, 'standard input');
  }
  const file = readTokenFile(flags.tokenFile, cwd, '--token-file');
  if (file !== undefined) return parseJoinToken(file, '--token-file');
  const given = env['MILLRACE_JOIN_TOKEN'];
  if (given !== undefined && given !== '') return parseJoinToken(given, 'MILLRACE_JOIN_TOKEN');
  throw new MillraceError(
    'invalid_argument',
    'The token is missing: give --token-file FILE, --token - for standard input, or set MILLRACE_JOIN_TOKEN.',
    { field: '--token-file' },
  );
}

/** Secrets of another cluster are never written over. Before the token is used up. */
function makeEmptyFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new MillraceError('failed_precondition', `${folder} is not empty; name a new folder.`, { field: '--out' });
  chmodSync(folder, 0o700);
}

/** What a cluster may write into the folder of a node. */
const PATHS = /^(cluster\.yaml|credentials\/[a-z][a-z-]*\.(pem|token|password))$/;

function writeFiles(folder: string, files: readonly JoinFile[], key: string): void {
  mkdirSync(join(folder, 'credentials'), { mode: 0o700 });
  writeFileSync(join(folder, 'credentials/node.key'), key, { mode: 0o600, flag: 'wx' });
  for (const { path, content } of files) {
    if (!PATHS.test(path))
      throw new MillraceError('internal', `The server wants to write ${JSON.stringify(path)}; is it of another version?`);
    writeFileSync(join(folder, path), content, { mode: 0o600, flag: 'wx' });
  }
}
