"""Files and places on disk: safe reading and writing, names, locks."""
