// A certificate for the server's own TLS, which a browser trusts by the hash of its key.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const DAY_MS = 86_400_000;

/** A certificate for a key of now (X.509 version 3), and the hash by which a browser trusts it. */
export function selfSigned(name) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const ecdsaWithSha256 = sequence(der(6, Buffer.from('2a8648ce3d040302', 'hex')));
  const commonName = der(6, Buffer.from('550403', 'hex'));
  const names = sequence(der(0x31, sequence(commonName, der(12, Buffer.from(name)))));
  const time = (ms) => {
    const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
    return der(0x17, Buffer.from(digits.slice(2)));
  };
  const validity = sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS));
  const version = der(0xa0, der(2, Buffer.from([2])));
  const serial = der(2, Buffer.from([1]));
  const signed = sequence(version, serial, ecdsaWithSha256, names, validity, names, spki);
  const signature = sign('sha256', signed, privateKey);
  const bits = der(3, Buffer.concat([Buffer.from([0]), signature]));
  const base64 = sequence(signed, ecdsaWithSha256, bits).toString('base64');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    keyHash: createHash('sha256').update(spki).digest('base64'),
  };
}

/** One element: its tag, its length, what it holds. */
function der(tag, content) {
  const { length } = content;
  // As short as it can be told, which is what DER asks for.
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), content]);
}

function sequence(...elements) {
  return der(0x30, Buffer.concat(elements));
}
