import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const DAYS_VALID = '2';

/** Files in the format PEM, in a folder of their own. */
export interface PrivateAuthority {
  /** The certificate of the authority. */
  readonly authority: string;
  /** A certificate that it has signed. */
  readonly certificate: string;
  /** The key of that certificate. */
  readonly key: string;
  remove(): Promise<void>;
}

/** Makes an authority that no program trusts. @param name what its certificate is for, such as `IP:127.0.0.1` */
export async function createPrivateAuthority(name: string): Promise<PrivateAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-sessions-tls-'));
  const file = (base: string) => join(folder, base);
  const [caKey, authority, key, certificate] = [
    file('ca.key'),
    file('ca.pem'),
    file('leaf.key'),
    file('leaf.pem'),
  ];
  const create = (...more: readonly string[]) =>
    promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', DAYS_VALID, ...more],
    ]);
  await create('-subj', '/CN=A private authority', '-keyout', caKey, '-out', authority);
  await create(
    ...['-subj', '/CN=A server', '-addext', `subjectAltName=${name}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', authority, '-CAkey', caKey],
    ...['-keyout', key, '-out', certificate],
  );
  return { authority, certificate, key, remove: () => rm(folder, { recursive: true }) };
}
