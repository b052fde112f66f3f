"""The parameter server's protocols as an event simulation: staleness and speed without a JVM or a network."""
