"""The commands in many surroundings: the table in docs/reliability.md, and a few of its rows as tests."""
