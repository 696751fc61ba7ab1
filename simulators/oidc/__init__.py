"""Providers of OpenID Connect: one in Python with faults, and the real one for Node."""
