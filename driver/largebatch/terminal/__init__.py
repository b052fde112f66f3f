"""What is shown on a terminal: sentences, tables, progress."""
