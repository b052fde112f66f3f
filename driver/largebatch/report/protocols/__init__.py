"""What a report says about the protocols of the parameter server."""
