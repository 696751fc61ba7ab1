"""How this server proves to a provider that it is the registered client."""

import base64
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote_plus


def encode_client_secret_basic(
    client: Any, method: str, uri: str, headers: MutableMapping[str, str], body: Any
) -> tuple[str, MutableMapping[str, str], Any]:
    """Add the name and secret of a client to the headers of a request.

    Both are form-encoded first, which authlib leaves out: the client ids of CILogon
    have colons.

    Source: RFC 6749, section 2.3.1.
    """
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return uri, headers, body
