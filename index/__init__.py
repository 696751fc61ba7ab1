"""Embeds passages, packs them into snapshots, and searches those."""
