"""Login by OpenID Connect: providers, tokens, the code flow, refresh and logout."""
