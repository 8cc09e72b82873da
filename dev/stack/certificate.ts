/** The self-signed certificate of this process's TLS servers. Clients can trust it as a certificate authority. */
import { generate } from 'selfsigned';

/** A private key and its certificate, as PEM text. */
export interface Certificate {
  key: string;
  cert: string;
}

let certificate: Promise<Certificate> | undefined;

/**
 * Returns the certificate for localhost, 127.0.0.1, ::1 and what tests run as a Redis of Azure. All servers share it, so
 * that a client trusts all of them.
 */
export function localhostCertificate(): Promise<Certificate> {
  certificate ??= create();
  return certificate;
}

/** The certificate is valid for one year. */
async function create(): Promise<Certificate> {
  const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      // Without cA and keyCertSign some clients reject a self-signed certificate as an authority.
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: '*.westeurope.redis.azure.net' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { key: pem.private, cert: pem.cert };
}
