"""Indico (meetings, talks, minutes) as a source."""
