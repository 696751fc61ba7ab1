"""Mails: mailboxes, parts, quoted earlier messages, attachments."""
