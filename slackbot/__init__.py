"""Answers questions in Slack; part 12 of the plan fills it."""
