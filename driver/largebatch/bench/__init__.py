"""`largebatch bench`: training times on this machine, beside those of peers in the same sitting."""
