"""The HTTP server: who is asking, what they may call, limits, and the API's routes."""
