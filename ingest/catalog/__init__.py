"""The catalog: what exists, who may read it, and what happened to it."""
