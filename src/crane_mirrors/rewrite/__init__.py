"""Text in, text out: the strings that name something in a catalogue are replaced, every other byte stays."""
