// A real provider of OpenID Connect (oidc-provider) on loopback, for tests.
//
//   node provider.mjs PORT SETTINGS
//
// SETTINGS is JSON: {clients: [...], persons: {NAME: {claims}}, id_token_s: 60, ...}.
// Its own pages for login and consent take any password. PUT /test/persons/NAME sets the
// claims of a person, DELETE removes the person; GET /test/notices lists logout notices.

import http from "node:http";
import { Provider } from "oidc-provider";
import { exportJWK, generateKeyPair } from "jose";

const [port, json] = process.argv.slice(2);
const settings = JSON.parse(json);
const issuer = `http://127.0.0.1:${port}`;
const persons = new Map(Object.entries(settings.persons));
const notices = [];

async function makeKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: "sig" };
}

const provider = new Provider(issuer, {
  clients: settings.clients,
  jwks: { keys: [await makeKey("RS256"), await makeKey("ES256")] },
  cookies: { keys: ["for tests on loopback only"] },
  claims: {
    openid: ["sub"],
    profile: ["name", "groups"],
    email: ["email", "email_verified"],
  },
  conformIdTokenClaims: settings.only_userinfo ?? false,
  // A person who is gone has no account, so that a refresh is refused.
  findAccount: (ctx, sub) =>
    persons.has(sub)
      ? { accountId: sub, claims: () => ({ sub, ...persons.get(sub) }) }
      : undefined,
  features: {
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    devInteractions: { enabled: true },
  },
  pkce: { required: () => true },
  // Otherwise an old refresh token is accepted again.
  rotateRefreshToken: true,
  issueRefreshToken: () => settings.refresh_tokens ?? true,
  ttl: {
    AccessToken: 60,
    AuthorizationCode: 30,
    Grant: 3600,
    IdToken: settings.id_token_s ?? 60,
    Interaction: 300,
    RefreshToken: 3600,
    Session: 3600,
  },
  // Its guard against requests to loopback stops notices to a server on loopback.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
});

provider.on("backchannel.success", (ctx, client, sub, sid) =>
  notices.push({ client: client.clientId, sub, sid, ok: true }),
);
provider.on("backchannel.error", (ctx, error, client, sub, sid) =>
  notices.push({ client: client.clientId, sub, sid, ok: false, error: `${error}` }),
);

async function readBody(request) {
  let body = "";
  for await (const part of request) body += part;
  return body;
}

async function change(request, response) {
  const name = decodeURIComponent(request.url.split("/")[3] ?? "");
  if (request.method === "PUT") persons.set(name, JSON.parse(await readBody(request)));
  if (request.method === "DELETE") persons.delete(name);
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(notices));
}

const serve = provider.callback();
http
  .createServer((request, response) =>
    request.url.startsWith("/test/")
      ? change(request, response)
      : serve(request, response),
  )
  .listen(Number(port), "127.0.0.1", () => console.log(`ready at ${issuer}`));
