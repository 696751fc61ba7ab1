"""EDMS (CERN's engineering documents) as a source."""
