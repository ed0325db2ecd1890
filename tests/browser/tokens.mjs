// Tokens as the platform signs them, with the secret of an extension (spec 1.2).
import { createHmac } from 'node:crypto';

const TOKEN_S = 3_600;

/** A token of production for somebody on a channel. */
export function platformToken(secret, { role, channel, user }) {
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'HS256', typ: 'JWT' };
  const who = { role, channel_id: channel, user_id: user, opaque_user_id: `U${user}` };
  const parts = [header, { exp: now + TOKEN_S, iat: now, ...who }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const hmac = createHmac('sha256', Buffer.from(secret, 'base64')).update(signed);
  return `${signed}.${hmac.digest('base64url')}`;
}
