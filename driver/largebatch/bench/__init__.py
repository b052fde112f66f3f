"""`largebatch bench`: how fast a machine trains, beside its peers in one sitting."""
