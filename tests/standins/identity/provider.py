"""A provider of OpenID Connect on a port of 127.0.0.1: whoever comes is the one that the tests name.

It is a process of its own, prints its port as JSON in its first line of output, and ends with its standard
input. `POST /_next` names who signs in from now on, and what the provider does wrong.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import BasicAuth, web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from tests.standins.identity.client import Client, IdentityFault

VALID_S = 600


@dataclass
class Grant:
    """What a code stands for; it can be redeemed once."""

    claims: dict[str, Any]
    nonce: str | None
    challenge: str
    fault: IdentityFault | None


@dataclass
class Provider:
    """The provider's state."""

    client: Client
    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "0815"})
    fault: IdentityFault | None = None
    grants: dict[str, Grant] = field(default_factory=dict)
    signed_in: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: int = 0
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))

    async def next(self, request: web.Request) -> web.StreamResponse:
        """Take who signs in next, and what goes wrong with it."""
        given = await request.json()
        self.claims, self.fault = given["claims"], given["fault"]
        return web.Response()

    async def state(self, request: web.Request) -> web.StreamResponse:
        """Tell the tests how many have signed in and out."""
        return web.json_response({"signed_in": len(self.signed_in), "ended": self.ended})

    async def discover(self, request: web.Request) -> web.StreamResponse:
        """Say where everything is."""
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "jwks_uri": f"{self.url}/keys",
                "end_session_endpoint": f"{self.url}/end",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "email", "profile"],
            }
        )

    async def keys(self, request: web.Request) -> web.StreamResponse:
        """Publish what signatures are checked by."""
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Send the browser back with a code at once, without asking for a password."""
        given = request.query
        if (given.get("client_id"), given.get("redirect_uri")) != (self.client.id, self.client.redirect_uri):
            return web.Response(status=400, text="no such client, or not its address")
        answer = {"state": given["state"]}
        if self.fault == "denied":
            answer |= {"error": "access_denied", "error_description": "not in the group"}
        elif (
            given.get("response_type") != "code"
            or "openid" not in given.get("scope", "").split()
            or given.get("code_challenge_method") != "S256"
        ):
            answer |= {"error": "invalid_request"}
        else:
            code = answer["code"] = secrets.token_urlsafe()
            self.grants[code] = Grant(
                self.claims, given.get("nonce"), given.get("code_challenge", ""), self.fault
            )
        raise web.HTTPFound(f"{self.client.redirect_uri}?{urlencode(answer)}")

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give tokens for a code, to the client that has its secret and that asked for the code."""
        given = await request.post()
        expected = BasicAuth(self.client.id, self.client.secret).encode()
        if not hmac.compare_digest(request.headers.get("Authorization", ""), expected):
            return web.json_response({"error": "invalid_client"}, status=401)
        grant = self.grants.pop(str(given.get("code")), None)
        digest = hashlib.sha256(str(given.get("code_verifier")).encode()).digest()
        if (
            grant is None
            or given.get("grant_type") != "authorization_code"
            or given.get("redirect_uri") != self.client.redirect_uri
            or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access_token = secrets.token_urlsafe()
        self.signed_in[access_token] = grant.claims
        return web.json_response(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": VALID_S,
                "id_token": self.sign(grant),
            }
        )

    def sign(self, grant: Grant) -> str:
        """Return the ID token of a grant."""
        now_s = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "another client" if grant.fault == "audience" else self.client.id,
            "iat": now_s,
            "exp": now_s + VALID_S,
            "nonce": "of another sign-in" if grant.fault == "nonce" else grant.nonce,
        }
        if grant.fault == "expired":
            claims |= {"iat": now_s - 2 * VALID_S, "exp": now_s - VALID_S}
        key = RSAKey.generate_key(2048) if grant.fault == "signature" else self.key
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims | grant.claims, key)

    async def userinfo(self, request: web.Request) -> web.StreamResponse:
        """Tell who an access token is of."""
        claims = self.signed_in.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.Response(status=401) if claims is None else web.json_response(claims)

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Sign out, and send the browser back."""
        given = request.query
        try:
            jwt.decode(given.get("id_token_hint", ""), self.key, algorithms=["RS256"])
        except (JoseError, ValueError):
            return web.Response(status=400, text="this provider has not signed that token")
        if given.get("post_logout_redirect_uri") != self.client.redirect_uri:
            return web.Response(status=400, text="not the client's address")
        self.ended += 1
        raise web.HTTPFound(self.client.redirect_uri)


async def _serve(client: Client) -> None:
    provider = Provider(client)
    app = web.Application()
    app.router.add_post("/_next", provider.next)
    app.router.add_get("/_state", provider.state)
    app.router.add_get("/.well-known/openid-configuration", provider.discover)
    app.router.add_get("/keys", provider.keys)
    app.router.add_get("/authorize", provider.authorize)
    app.router.add_post("/token", provider.token)
    app.router.add_get("/userinfo", provider.userinfo)
    app.router.add_get("/end", provider.end)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    provider.url = f"http://127.0.0.1:{port}"
    print(json.dumps({"port": port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", type=json.loads, required=True)
    asyncio.run(_serve(Client(**parser.parse_args().client)))
