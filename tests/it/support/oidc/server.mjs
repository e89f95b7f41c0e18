// A certified OAuth 2.0 server for the tests: plain HTTP on a loopback port, everything in memory.
//
//   node server.mjs DIRECTORY
//
// DIRECTORY holds the certificates of the clients that sign their assertions. A line on standard
// output says `listening on PORT`. It ends when its standard input does, so that it does not outlive
// the tests.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import Provider from 'oidc-provider';

const directory = process.argv[2];
const server = http.createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();

const publicKey = (file) => {
  const pem = fs.readFileSync(path.join(directory, file));
  return new crypto.X509Certificate(pem).publicKey.export({ format: 'jwk' });
};
const signingKey = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

// A program on the user's machine: no secret, a loopback redirect URI on any port (RFC 8252).
const native = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/'],
  response_types: ['code'],
  grant_types: [
    'authorization_code',
    'refresh_token',
    'urn:ietf:params:oauth:grant-type:device_code',
  ],
  scope: 'openid offline_access mail',
};
const service = {
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
  scope: 'mail',
};
const signing = (file) => ({
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [{ ...publicKey(file), use: 'sig' }] },
});
const clients = [
  { client_id: 'native', ...native },
  { client_id: 'native-brief', ...native },
  // Octets that form-urlencoding changes (RFC 6749 section 2.3.1).
  { client_id: 'basic', client_secret: 's3cret+/with %chars:and=more', ...service },
  {
    client_id: 'post',
    client_secret: 's3cret-in-the-body',
    token_endpoint_auth_method: 'client_secret_post',
    ...service,
  },
  // The mail server, which asks about tokens.
  {
    client_id: 'mail-server',
    client_secret: 's3cret-of-the-mail-server',
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: [],
    response_types: [],
    grant_types: [],
  },
  { client_id: 'signing-rsa', ...signing('rsa.pem'), ...service },
  { client_id: 'signing-ec', ...signing('ec.pem'), ...service },
];

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: { keys: [signingKey.export({ format: 'jwk' })] },
  cookies: { keys: [crypto.randomBytes(24).toString('hex')] },
  scopes: ['openid', 'offline_access', 'mail'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // The name of the mailbox that a token opens.
  extraTokenClaims: (ctx, token) => ({ email: token.accountId }),
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
  pkce: { required: () => true, methods: ['S256'] },
  ttl: {
    AccessToken: (ctx, token, client) => (client.clientId === 'native-brief' ? 2 : 3600),
    AuthorizationCode: 60,
    ClientCredentials: 600,
    DeviceCode: 600,
    Grant: 86400,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    // Takes any name and password.
    devInteractions: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (ctx, client) => client.clientId === 'mail-server',
    },
    revocation: { enabled: true },
  },
});

// The server leaves the pace to the default of RFC 8628, five seconds. Tests have less patience.
// They also ask how often somebody was told that the user has not signed in yet.
const codes = new Map();
const pending = new Map();
provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/pending/')) {
    ctx.body = String(pending.get(ctx.path.slice('/pending/'.length)) ?? 0);
    return;
  }
  await next();
  if (ctx.path === '/device/auth' && ctx.body?.device_code) {
    codes.set(ctx.body.device_code, ctx.body.user_code);
    ctx.body = { ...ctx.body, interval: 1 };
  }
  if (ctx.path === '/token' && ctx.body?.error === 'authorization_pending') {
    const code = codes.get(ctx.oidc.params.device_code);
    pending.set(code, (pending.get(code) ?? 0) + 1);
  }
});

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0)).resume();
console.log(`listening on ${port}`);
