/** The certificate of this process's TLS servers, which clients can also trust as its own authority. */
import { generate } from 'selfsigned';

/** A private key and its certificate, as PEM text. */
export interface Certificate {
  key: string;
  cert: string;
}

let certificate: Promise<Certificate> | undefined;

/** Gives the certificate for localhost, 127.0.0.1 and ::1: one for all servers, so that a client can trust them all. */
export function localhostCertificate(): Promise<Certificate> {
  certificate ??= make();
  return certificate;
}

/** It is valid for a year. */
async function make(): Promise<Certificate> {
  const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      // It signs itself: without cA and keyCertSign some clients refuse it in their list of authorities.
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { key: pem.private, cert: pem.cert };
}
