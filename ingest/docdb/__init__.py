"""DocDB (Fermilab's document database) as a source."""
