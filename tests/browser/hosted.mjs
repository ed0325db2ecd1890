// Stands in for the hosted service under its own names: a TLS end that passes every byte on to the
// server, as a proxy does that holds a certificate the browser trusts (spec 4.2).
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createServer } from 'node:tls';

const DAY_MS = 86_400_000;

/** Starts it in front of a port of this machine. */
export async function startHosted(port) {
  const { certificate, key, keyHash } = selfSigned('hosted service');
  const ends = new Set();
  const server = createServer({ cert: certificate, key }, (outside) => {
    const inside = connect(port, '127.0.0.1');
    for (const [end, other] of [[outside, inside], [inside, outside]]) {
      ends.add(end);
      end.on('error', () => other.destroy());
      end.on('close', () => {
        ends.delete(end);
        other.destroy();
      });
      end.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      for (const end of ends) end.destroy();
    });
  return { port: server.address().port, keyHash, stop };
}

/** A certificate for a key of now (X.509 in DER), and the hash by which a browser trusts it. */
function selfSigned(name) {
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
  const serial = der(2, Buffer.from([1]));
  const signed = sequence(serial, ecdsaWithSha256, names, validity, names, spki);
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
