"""Search: finds and ranks the passages that a reader may see."""
