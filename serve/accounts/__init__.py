"""Persons, and what serve.db holds of them: sessions, tokens, limits and the audit."""
